/**
 * How long a start takes with many responses on disk, and how much memory they take.
 *
 *     node --expose-gc bench/disk-start.ts [entries]
 */

import * as files from 'node:fs/promises'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Entry } from '../src/store/disk/disk-index.ts'
import { DiskStore } from '../src/store/disk/disk-store.ts'
import { Health } from '../src/store/disk/health.ts'
import { Journal } from '../src/store/disk/journal.ts'
import { hashKey, hashVariant } from '../src/store/disk/layout.ts'

const entries = Number(process.argv[2] ?? 300_000)
const path = await mkdtemp(join(tmpdir(), 'relais-disk-start-'))
const options = { path, maxBytes: 1e13, maxEntryBytes: 1e9, log: () => undefined }
try {
  await (await DiskStore.open(options)).close()
  await writeJournal()
  const before = heapBytes()
  const startedAt = performance.now()
  const store = await DiskStore.open(options)
  const ms = performance.now() - startedAt
  const held = store.stats().disk.entries
  const bytesEach = (heapBytes() - before) / held
  process.stdout.write(
    `${held} entries: open in ${ms.toFixed(0)} ms, ${bytesEach.toFixed(0)} bytes of heap each\n`,
  )
  await store.close()
} finally {
  await rm(path, { recursive: true })
}

/** As a process leaves it behind that stored so many and was killed. */
async function writeJournal(): Promise<void> {
  const journal = new Journal(files, join(path, 'journal'), new Health(options.log), () => undefined)
  const variantHash = hashVariant({})
  const all = Array.from(
    { length: entries },
    (_, index) =>
      new Entry(
        { keyHash: hashKey(`/vod/${index}.m4s`), variantHash, generation: 2 ** 40 + index },
        500_000 + index,
        0,
      ),
  )
  await journal.rewrite(all, join(path, 'journal.aside'))
  await journal.close()
}

function heapBytes(): number {
  if (globalThis.gc === undefined) throw new Error('run it with node --expose-gc')
  globalThis.gc()
  return process.memoryUsage().heapUsed
}
