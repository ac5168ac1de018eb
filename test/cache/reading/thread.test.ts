/** A thread beside: one job after the other, and no failure of it is a hang. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Thread, Undone } from '../../../src/cache/reading/thread.ts'

/** Doubles numbers; of words it does what they say. */
const PROGRAM = `
  import { parentPort, workerData } from 'node:worker_threads'
  parentPort.on('message', (message) => {
    switch (message) {
      case 'exit': return process.exit(3)
      case 'throw': throw new Error('no such thing')
      case 'hang': for (;;);
      case 'grow': for (const all = []; ; ) all.push(new Array(1000).fill(all.length))
      case 'told': return parentPort.postMessage(workerData)
      default: parentPort.postMessage(2 * message)
    }
  })`

function openThread(t: TestContext, options: { jobTimeoutMs?: number; maxWaitingBytes?: number } = {}) {
  const thread = new Thread({
    file: new URL(`data:text/javascript,${encodeURIComponent(PROGRAM)}`),
    told: 'what it was told',
    jobTimeoutMs: 60_000,
    maxWaitingBytes: 100,
    maxHeapMegabytes: 16,
    ...options,
  })
  t.after(() => thread.close())
  const run = (message: unknown, bytes = 1) => thread.run({ message, transfer: [], bytes })
  return { thread, run }
}

test('jobs are done one after the other, and each has its own answer', async (t) => {
  const { run } = openThread(t)
  assert.equal(await run('told'), 'what it was told')
  assert.deepEqual(await Promise.all([run(1), run(2), run(3)]), [2, 4, 6])
})

for (const [word, why] of [
  ['exit', /ended with code 3/],
  ['throw', /no such thing/],
  ['grow', /ERR_WORKER_OUT_OF_MEMORY|memory limit/],
] as const) {
  test(`a thread that fails (${word}) fails that one job, and those behind it are done by another`, async (t) => {
    const { run } = openThread(t)
    const [failed, next] = await Promise.allSettled([run(word), run(21)])
    assert.ok(failed.status === 'rejected' && failed.reason instanceof Undone)
    assert.match(failed.reason.message, why)
    assert.deepEqual(next, { status: 'fulfilled', value: 42 })
  })
}

test('a job that does not end is given up, and the next one as well', async (t) => {
  const { run } = openThread(t, { jobTimeoutMs: 1 })
  for (const one of await Promise.allSettled([run('hang'), run('hang')])) {
    assert.ok(one.status === 'rejected' && one.reason instanceof Undone)
    assert.match(one.reason.message, /expected an answer of the thread within 1 ms, came none/)
  }
})

test('what would wait beyond the bound is refused at once, and one job always may', async (t) => {
  const { thread, run } = openThread(t)
  const jobs = [run('hang'), run(1, 1000), run(2, 50)]
  const settled = Promise.allSettled(jobs)
  await assert.rejects(run(3, 1), /expected at most 100 bytes to wait, came 1 more than the 1000 that wait/)
  await thread.close()
  assert.equal(jobs.length, (await settled).filter(({ status }) => status === 'rejected').length)
})

test('whoever waits when it is closed is told, and whoever comes after', async (t) => {
  const { thread, run } = openThread(t)
  const waiting = Promise.allSettled([run('hang'), run(1)])
  await thread.close()
  for (const one of await waiting)
    assert.ok(one.status === 'rejected' && /is closed/.test(one.reason.message))
  await assert.rejects(run(1), /is closed/)
})
