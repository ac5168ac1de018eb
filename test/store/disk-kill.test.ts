/** A process that is killed at any moment loses at most what it was writing, and never leaves a wrong byte behind. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { DiskStore } from '../../src/store/disk/disk-store.ts'
import { CONTRACT_BOUNDS } from '../contract/store.ts'
import { churnedBytes, type Told } from './support/disk-churn.ts'
import { directory, filesIn } from './support/disks.ts'
import { read, requestOf } from './support/responses.ts'

const ROUNDS = 25
const CHURN = join(import.meta.dirname, 'support', 'disk-churn.ts')

/** Lets a process work until it has told so many deeds, and kills it there and then. */
async function killedAfter(deeds: number, path: string, firstVersion: number): Promise<Told[]> {
  const child = fork(CHURN, [path, `${firstVersion}`])
  const told: Told[] = []
  child.on('message', (message) => {
    told.push(message as Told)
    if (told.length === deeds) child.kill('SIGKILL')
  })
  const [, signal] = await once(child, 'exit')
  assert.equal(signal, 'SIGKILL', 'the process ended by itself')
  return told
}

async function assertBounded(path: string): Promise<void> {
  const total = (await filesIn(path)).reduce((sum, file) => sum + file.bytes, 0)
  assert.ok(total <= CONTRACT_BOUNDS.maxBytes, `${total} bytes lie there`)
}

/** What must be known of each key: the last deed told as done, unless another one was begun after it. */
function settled(told: readonly Told[]): Map<string, Told> {
  const last = new Map<string, Told>()
  for (const deed of told) last.set(deed.key, deed)
  return new Map([...last].filter(([, deed]) => deed.isDone))
}

test('whatever moment a process is killed at, each byte answered afterwards is right', async (t) => {
  const path = await directory(t)
  const keys = new Set<string>()
  let [version, answered, kept] = [0, 0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    const told = await killedAfter(1 + ((round * 37) % 150), path, version)
    for (const { key } of told) keys.add(key)
    await assertBounded(path)
    const store = await DiskStore.open({ ...CONTRACT_BOUNDS, path, log: () => undefined })
    const found = new Map<string, number>()
    for (const when of ['at once', 'after the reconciliation']) {
      for (const key of keys) {
        const stored = await store.get(key, requestOf())
        if (stored === undefined) continue
        assert.equal(stored.head.key, key)
        assert.ok((await read(stored)).equals(churnedBytes(stored.head)), `${key} ${when} in round ${round}`)
        found.set(key, Number(stored.head.fields['version']))
        answered++
      }
      await store.reconciled
      await assertBounded(path)
    }
    for (const { key, deed, version } of settled(told).values()) {
      if (deed === 'delete')
        assert.ok((found.get(key) ?? Infinity) > version, `${key} came back in round ${round}`)
    }
    // The last few are too young to have been evicted.
    const [youngest] = [...settled(told).values()].filter(({ deed }) => deed !== 'delete').slice(-1)
    if (youngest !== undefined) {
      assert.ok(
        (found.get(youngest.key) ?? 0) >= youngest.version,
        `${youngest.key} was lost in round ${round}`,
      )
      kept++
    }
    const { corrupt, errors } = store.stats().disk
    assert.deepEqual([corrupt, errors], [0, 0])
    version = Math.max(version, ...told.map((deed) => deed.version)) + 1_000
    await store.close()
  }
  assert.ok(
    answered > 100 && kept > ROUNDS / 2,
    `${answered} answers, ${kept} rounds with a settled response`,
  )
})
