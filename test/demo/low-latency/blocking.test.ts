import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../../support/client.ts'
import { NUMBER, openLowLatency, PART_MS, START, textAt } from './demo.ts'

const PLAYLIST = '/ll/parts/360p.m3u8'

test('a blocking reload is held until its part exists, and is the playlist of that instant', async (t) => {
  const { url, clock } = await openLowLatency(t, { start: START + 900 })
  let isAnswered = false
  const held = get(`${url}${PLAYLIST}?_HLS_msn=${NUMBER}&_HLS_part=2`).finally(() => {
    isAnswered = true
  })
  await clock.waitedFor(1)
  clock.advance(3 * PART_MS - 901)
  // One that is answered at once shows that the held one could have been.
  assert.equal((await get(`${url}${PLAYLIST}`)).status, 200)
  assert.equal(isAnswered, false)
  clock.advance(1)
  const { status, body, headers } = await held
  assert.equal(status, 200)
  assert.equal(body.toString(), textAt(PLAYLIST, START + 3 * PART_MS))
  // Date is the second it was answered in, not the one before, when it was asked: its age on arrival is 0.
  assert.equal(headers.date, new Date(clock.now()).toUTCString())
})

test('what already exists is answered at once, however long ago it was', async (t) => {
  const { url, clock } = await openLowLatency(t, { start: START + PART_MS })
  for (const query of [
    `_HLS_msn=${NUMBER}&_HLS_part=0`,
    `_HLS_msn=${NUMBER - 1}`,
    `_HLS_msn=${NUMBER - 1}&_HLS_part=4`,
    `_HLS_msn=${NUMBER - 1000}&_HLS_part=3`,
    '_HLS_msn=0',
  ]) {
    const { status, body } = await get(`${url}${PLAYLIST}?${query}`)
    assert.equal(status, 200, query)
    assert.equal(body.toString(), textAt(PLAYLIST, clock.now()), query)
  }
})

test('a reload that names only a segment is held until all of it exists, and one of a part past its end until the next', async (t) => {
  const { url, clock } = await openLowLatency(t)
  const segment = get(`${url}${PLAYLIST}?_HLS_msn=${NUMBER}`)
  const next = get(`${url}${PLAYLIST}?_HLS_msn=${NUMBER}&_HLS_part=5`)
  await clock.waitedFor(2)
  clock.advance(2000)
  assert.match((await segment).body.toString(), new RegExp(`360p/${NUMBER}\\.m4s\n`))
  await clock.waitedFor(1)
  clock.advance(PART_MS)
  assert.match((await next).body.toString(), new RegExp(`EXT-X-PART.*360p/${NUMBER + 1}\\.0\\.m4s`))
})

test('a reload that no viewer of this playlist can mean is refused at once', async (t) => {
  const { url, clock } = await openLowLatency(t)
  for (const query of [
    '_HLS_part=0',
    `_HLS_msn=${NUMBER + 2}`,
    `_HLS_msn=${NUMBER + 2}&_HLS_part=0`,
    `_HLS_msn=${NUMBER + 1}&_HLS_part=3`,
    `_HLS_msn=${NUMBER}&_HLS_part=18446744073709551616`,
    '_HLS_msn=-1',
    '_HLS_msn=',
    '_HLS_msn=1.5',
    '_HLS_msn=18446744073709551616',
    `_HLS_msn=${'9'.repeat(400)}`,
    `_HLS_msn=${NUMBER}&_HLS_part=x`,
  ]) {
    const { status, body } = await get(`${url}${PLAYLIST}?${query}`)
    assert.equal(status, 400, query)
    assert.match(body.toString(), /_HLS_(msn|part)/, query)
  }
  assert.equal(clock.waiting, 0)
  for (const query of [`_HLS_msn=${NUMBER + 1}`, `_HLS_msn=${NUMBER + 1}&_HLS_part=1`]) {
    const held = get(`${url}${PLAYLIST}?${query}`)
    await clock.waitedFor(1)
    clock.advance(4000)
    assert.equal((await held).status, 200, query)
    clock.advance(-4000)
  }
})

test('a reload is given up with 503 when the encoder has not come so far in three target durations', async (t) => {
  const { url, clock } = await openLowLatency(t, { madeUntil: () => START })
  const held = [
    get(`${url}${PLAYLIST}?_HLS_msn=${NUMBER}&_HLS_part=0`),
    get(`${url}/ll/parts/360p/${NUMBER}.0.m4s`),
    get(`${url}/ll/dash/360p/${NUMBER}.m4s`),
  ]
  await clock.waitedFor(held.length)
  for (let waited = 0; waited < 6000; waited += PART_MS) {
    clock.advance(PART_MS)
    if (waited + PART_MS < 6000) await clock.waitedFor(held.length)
  }
  for (const { status, body } of await Promise.all(held)) {
    assert.equal(status, 503)
    assert.match(body.toString(), /within 6 s/)
  }
  // What was made before is served on.
  assert.equal((await get(`${url}${PLAYLIST}`)).status, 200)
})

test('an encoder that lags is waited for', async (t) => {
  const clock = { now: () => START }
  const { url, clock: wall } = await openLowLatency(t, { madeUntil: () => clock.now() - 1000 })
  clock.now = wall.now
  const held = get(`${url}${PLAYLIST}?_HLS_msn=${NUMBER}&_HLS_part=0`)
  await wall.waitedFor(1)
  wall.advance(1000 + PART_MS)
  assert.equal((await held).status, 200)
})

test('a hinted part is held until it exists; one that is not hinted is not there', async (t) => {
  const { url, clock } = await openLowLatency(t, { start: START + PART_MS })
  for (const part of [2, 3, 5, 9]) {
    assert.equal((await get(`${url}/ll/parts/audio/${NUMBER}.${part}.m4s`)).status, 404, String(part))
  }
  assert.equal((await get(`${url}/ll/parts/audio/${NUMBER + 1}.0.m4s`)).status, 404)
  // A segment of which the parts are files is there when it is complete.
  assert.equal((await get(`${url}/ll/parts/audio/${NUMBER}.m4s`)).status, 404)
  const held = get(`${url}/ll/parts/audio/${NUMBER}.1.m4s`)
  await clock.waitedFor(1)
  clock.advance(PART_MS)
  const { status, headers, body } = await held
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'audio/mp4')
  assert.equal(Number(headers['content-length']), body.byteLength)
  const again = await get(`${url}/ll/parts/audio/${NUMBER}.1.m4s`)
  assert.deepEqual(again.body, body)
  assert.equal(again.headers.etag, headers.etag)
})

test('what is held for a viewer who leaves is let go, and the next is served', async (t) => {
  const { url, clock } = await openLowLatency(t)
  const leaving = new AbortController()
  const paths = [
    `${PLAYLIST}?_HLS_msn=${NUMBER}&_HLS_part=0`,
    `/ll/parts/360p/${NUMBER}.0.m4s`,
    `/ll/dash/360p/${NUMBER}.m4s`,
  ]
  const left = paths.map((path) => get(`${url}${path}`, { signal: leaving.signal }))
  await clock.waitedFor(paths.length)
  leaving.abort()
  await Promise.allSettled(left)
  await clock.waitedFor(0)
  const held = get(`${url}${paths[0]}`)
  await clock.waitedFor(1)
  clock.advance(PART_MS)
  assert.equal((await held).status, 200)
})

test('HEAD of a held playlist is held too, and has its fields and no body', async (t) => {
  const { url, clock } = await openLowLatency(t)
  const held = get(`${url}${PLAYLIST}?_HLS_msn=${NUMBER}&_HLS_part=0`, { method: 'HEAD' })
  await clock.waitedFor(1)
  clock.advance(PART_MS)
  const { status, headers, body } = await held
  assert.equal(status, 200)
  assert.equal(Number(headers['content-length']), textAt(PLAYLIST, clock.now()).length)
  assert.equal(body.byteLength, 0)
})
