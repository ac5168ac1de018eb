/** A process that holds a disk store until it is killed. */
import { DiskStore } from '../../../src/store/disk/disk-store.ts'

const [path = ''] = process.argv.slice(2)
await DiskStore.open({ path, maxBytes: 1e6, maxEntryBytes: 1e6, log: () => undefined })
process.stdout.write('holds it\n')
setInterval(() => undefined, 60_000)
