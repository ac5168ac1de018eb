/** The contract of the cellar, kept by the disk alone. */
import { storeContract } from '../contract/store.ts'
import { disk } from './support/disks.ts'

storeContract('the disk', async (t) => await disk(t))
