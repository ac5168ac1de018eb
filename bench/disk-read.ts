/**
 * How fast bodies are read from disk, every block verified, when the system has them in its page cache.
 *
 *     taskset -c 0 node bench/disk-read.ts
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiskStore } from '../src/store/disk/disk-store.ts'
import { headOf, put, requestOf } from '../test/store/support/responses.ts'

const GB = 1e9

const path = await mkdtemp(join(tmpdir(), 'relais-disk-read-'))
const store = await DiskStore.open({ path, maxBytes: GB, maxEntryBytes: GB, log: () => undefined })
try {
  for (const [size, rounds] of [
    [4_096, 20_000],
    [200_000, 10_000],
    [2_000_000, 2_000],
    [64_000_000, 60],
  ] as const) {
    await put(store, headOf(`${size}`), Buffer.alloc(size, 'relais'), 1_000_000)
    const bytesPerSecond = await measured(`${size}`, rounds)
    const line = `${size} bytes: ${(bytesPerSecond / GB).toFixed(2)} GB/s, ${((size / bytesPerSecond) * 1e6).toFixed(0)} us each`
    process.stdout.write(`${line}\n`)
  }
} finally {
  await store.close()
  await rm(path, { recursive: true })
}

async function measured(key: string, rounds: number): Promise<number> {
  let bytes = 0
  const startedAt = performance.now()
  for (let round = 0; round < rounds; round++) {
    const stored = await store.get(key, requestOf())
    if (stored === undefined) throw new Error(`${key} was not found`)
    for await (const chunk of stored.body.read()) bytes += chunk.byteLength
  }
  return bytes / ((performance.now() - startedAt) / 1000)
}
