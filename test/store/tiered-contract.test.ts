/** The contract of the cellar, kept by memory and disk together, by memory alone, and with a memory that holds little. */
import { MemoryStore } from '../../src/store/memory-store.ts'
import { TieredStore } from '../../src/store/tiered-store.ts'
import { CONTRACT_BOUNDS, storeContract } from '../contract/store.ts'
import { disk } from './support/disks.ts'

storeContract('memory and disk', async (t) => {
  const below = await disk(t)
  const store = new TieredStore({ memory: new MemoryStore(CONTRACT_BOUNDS), disk: below.store })
  const reopen = async () =>
    new TieredStore({ memory: new MemoryStore(CONTRACT_BOUNDS), disk: await below.reopen() })
  return { store, reopen }
})

storeContract('a memory without disk', async () => ({
  store: new TieredStore({ memory: new MemoryStore(CONTRACT_BOUNDS), disk: undefined }),
}))
