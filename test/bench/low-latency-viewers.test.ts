import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { LowLatencyHls } from '../../bench/lib/low-latency-plans.ts'
import { watchLowLatency } from '../../bench/lib/low-latency-viewers.ts'
import { ChunkEnds } from '../../bench/lib/low-latency-watchers.ts'
import { startDemo } from '../../src/demo/demo-origin.ts'
import { chunked, NUMBER, openLowLatency, tracks } from '../demo/low-latency/demo.ts'

const VIEWERS = 3
const TIMEOUT_MS = 30_000

/** The streams as viewers meet them, on the wall clock, and what they asked for. */
async function openWallDemo(t: TestContext): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const onRequest = (target: string): void => void asked.push(target)
  const demo = await startDemo({ host: '127.0.0.1', port: 0, now: Date.now, onRequest })
  t.after(() => demo.close())
  return { url: demo.url, asked }
}

function hlsPlan(url: string, more: Partial<LowLatencyHls> = {}): LowLatencyHls {
  const plan = {
    viewers: VIEWERS,
    parts: 4,
    wantsDelta: true,
    fetches: 'hinted',
    timeoutMs: TIMEOUT_MS,
  } as const
  return { kind: 'll-hls', url: `${url}/ll/parts/360p.m3u8`, ...plan, ...more }
}

for (const fetches of ['announced', 'hinted'] as const) {
  test(`each viewer of LL-HLS sees each part once and says how late it was, with parts ${fetches}`, async (t) => {
    const { url, asked } = await openWallDemo(t)
    const { delayMs, targets, failures } = await watchLowLatency(hlsPlan(url, { fetches }))
    assert.deepEqual(failures, [])
    const parts = targets.filter((target) => target.endsWith('.m4s'))
    // A viewer who came to the next part only fetches one more than those before.
    assert.ok(delayMs.length >= VIEWERS * 4, `${delayMs.length} parts`)
    assert.equal(asked.filter((target) => target.endsWith('.m4s')).length, delayMs.length)
    assert.ok(parts.length >= 4)
    assert.ok(asked.some((target) => /\?_HLS_msn=\d+&_HLS_part=\d&_HLS_skip=YES$/.test(target)))
    // Nothing can be here before it is made, but for what two clocks of one machine differ by.
    assert.ok(Math.min(...delayMs) > -50, String(Math.min(...delayMs)))
  })
}

test('each viewer of LL-DASH sees each chunk of a segment once', async (t) => {
  const { url, asked } = await openWallDemo(t)
  const { delayMs, targets, failures } = await watchLowLatency({
    ...{ kind: 'll-dash', url: `${url}/ll/dash/360p/`, viewers: VIEWERS, segments: 1, timeoutMs: TIMEOUT_MS },
  })
  assert.deepEqual(failures, [])
  assert.equal(delayMs.length, VIEWERS * 5)
  assert.equal(targets.length, 1)
  assert.equal(asked.length, VIEWERS)
})

test('what viewers cannot have is told as their failure, and ends them', async (t) => {
  const { url } = await openWallDemo(t)
  for (const path of ['/ll/parts/720p.m3u8', '/live/fmp4/360p.m3u8']) {
    const { failures } = await watchLowLatency(hlsPlan(url, { url: `${url}${path}` }))
    assert.equal(failures.length, VIEWERS)
    assert.match(failures[0] ?? '', /404|no part as a file/)
  }
})

test('viewers who are held for longer than their time are told of, and leave', async (t) => {
  const { url, clock } = await openLowLatency(t)
  const { failures } = await watchLowLatency(hlsPlan(url, { timeoutMs: 200 }))
  assert.equal(failures.length, VIEWERS)
  await clock.waitedFor(0)
})

test('the end of a chunk is seen however its bytes come', () => {
  const segment = Buffer.from(chunked.segment(tracks[0] ?? assert.fail(), NUMBER))
  for (const piece of [1, 7, 1000, segment.byteLength]) {
    const ends: number[] = []
    const watcher = new ChunkEnds((index) => ends.push(index))
    for (let at = 0; at < segment.byteLength; at += piece) watcher.onBody(segment.subarray(at, at + piece))
    assert.deepEqual(ends, [0, 1, 2, 3, 4])
    assert.equal(watcher.chunks, 5)
  }
  assert.throws(() => new ChunkEnds(() => undefined).onBody(Buffer.alloc(8)), /no fMP4/)
})
