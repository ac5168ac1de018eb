/** Blocking reloads of an origin that is not as it should be, and what of its answers is kept. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

const TYPE = { 'content-type': 'application/vnd.apple.mpegurl' }

/** Segments 10 to 12 are whole, and so many parts of 13 are made. */
function playlist(parts: number, more = '', control = 'CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5'): string {
  return [
    '#EXTM3U',
    '#EXT-X-TARGETDURATION:2',
    `#EXT-X-SERVER-CONTROL:${control}`,
    '#EXT-X-PART-INF:PART-TARGET=0.5',
    '#EXT-X-MEDIA-SEQUENCE:10',
    ...[10, 11, 12].flatMap((sequence) => ['#EXTINF:2,', `${sequence}.m4s`]),
    ...Array.from({ length: parts }, (_, part) => `#EXT-X-PART:DURATION=0.5,URI="13.${part}.m4s"`),
    more,
    '',
  ].join('\n')
}

function hint(part: number): string {
  return `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="13.${part}.m4s"`
}

for (const status of [400, 403, 429, 500, 503]) {
  test(`a ${status} is kept under no name that viewers ask for a part by, however long it may be`, async (t) => {
    const origin = await openOrigin(t, (_request, response) => reply(response, playlist(0), TYPE))
    const relais = await openTestRelais(t, { origins: [origin.url] })
    await get(`${relais.url}/p.m3u8`)
    origin.answer((_request, response) => reply(response, 'no', { 'cache-control': 'max-age=60' }, status))
    assert.equal((await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`)).status, status)
    origin.answer((_request, response) => reply(response, playlist(1), TYPE))
    relais.clock.advance(10)
    const later = await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`)
    assert.deepEqual([later.status, later.body.toString()], [200, playlist(1)])
    // Nor did the refusal take the place of the playlist.
    assert.equal((await get(`${relais.url}/p.m3u8`)).status, 200)
  })
}

test('a playlist that is gone is asked for once by all who wait for its next part', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(0), TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/p.m3u8`)
  let held: ServerResponse | undefined
  origin.answer((_request, response) => {
    held = response
  })
  const waiting = Array.from({ length: 20 }, () => get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`))
  await until(async () => (await relais.stats()).waiting === 20, 'all wait')
  assert.ok(held !== undefined)
  reply(held, 'gone', {}, 404)
  for (const { status } of await Promise.all(waiting)) assert.equal(status, 404)
  assert.equal(origin.count(), 2)
  // A moment only, and the playlist itself is where it was.
  relais.clock.advance(501)
  origin.answer((_request, response) => reply(response, playlist(1), TYPE))
  assert.equal((await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`)).status, 200)
})

test('an encoder that stands still is asked once by all who wait, and once when they all come again', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(0), TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/p.m3u8`)
  for (const status of [503, 429, 500]) {
    const before = origin.count()
    let held: ServerResponse | undefined
    origin.answer((_request, response) => {
      held = response
    })
    const waiting = Array.from({ length: 20 }, () => get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`))
    await until(async () => (await relais.stats()).waiting === 20, 'all wait')
    assert.ok(held !== undefined)
    reply(held, 'not now', {}, status)
    const statuses = (await Promise.all(waiting)).map((answer) => answer.status)
    // The one who asked has the origin's own word.
    assert.deepEqual(statuses.toSorted(), [...Array(19).fill(503), status].toSorted())
    assert.equal(origin.count(), before + 1)
    await until(async () => (await relais.stats()).viewers === 0, 'all have left')
  }
  // What an encoder does not say speaks of no origin.
  const [only] = (await relais.stats()).routes[0]?.origins ?? []
  assert.deepEqual([only?.circuit, only?.penalisedUntil], ['closed', undefined])
})

test('a lifetime that is meant for one directive is not that of the playlist without it', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(0), TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/p.m3u8`)
  relais.clock.advance(500)
  origin.answer((_request, response) =>
    reply(response, playlist(1), { ...TYPE, 'cache-control': 'max-age=12' }),
  )
  await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`)
  relais.clock.advance(999)
  assert.equal((await get(`${relais.url}/p.m3u8`)).body.toString(), playlist(1))
  assert.equal(origin.count(), 2)
  relais.clock.advance(1)
  origin.answer((_request, response) => reply(response, playlist(2), TYPE))
  assert.equal((await get(`${relais.url}/p.m3u8`)).body.toString(), playlist(2))
})

test('an ended playlist is given whole, whatever is named', async (t) => {
  const ended = playlist(0, '#EXT-X-ENDLIST', 'CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5,CAN-SKIP-UNTIL=12')
  const origin = await openOrigin(t, (_request, response) => reply(response, ended, TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/p.m3u8`)
  for (const query of [
    '_HLS_msn=13&_HLS_part=0',
    '_HLS_msn=99',
    '_HLS_skip=YES',
    '_HLS_part=1',
    '_HLS_msn=x',
  ]) {
    const { status, body } = await get(`${relais.url}/p.m3u8?${query}`)
    assert.deepEqual([status, body.toString()], [200, ended], query)
  }
  assert.equal(origin.count(), 1)
})

test('an origin that holds nothing is not asked by each viewer anew', async (t) => {
  const plain = playlist(0, '', 'HOLD-BACK=6')
  const origin = await openOrigin(t, (_request, response) => reply(response, plain, TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/p.m3u8`)
  for (let time = 0; time < 3; time++) {
    assert.equal((await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`)).body.toString(), plain)
  }
  assert.equal(origin.count(), 1)
})

test('a viewer who leaves lets the others wait on, and the last one frees the origin', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(0), TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/p.m3u8`)
  let isFreed = false
  origin.answer((request) => request.socket.on('close', () => (isFreed = true)))
  const leaving = [new AbortController(), new AbortController()]
  const waiting = leaving.map(({ signal }) =>
    get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`, { signal }).catch(() => 'left'),
  )
  await until(async () => (await relais.stats()).waiting === 2, 'all wait')
  await origin.reached(2)
  leaving[0]?.abort()
  assert.equal(await waiting[0], 'left')
  assert.equal(isFreed, false)
  leaving[1]?.abort()
  await until(() => isFreed, 'the origin is freed')
  assert.equal(origin.count(), 2)
})

test('a hint that vanishes before anybody waits for it is let go', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(0, hint(0)), TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/p.m3u8`)
  const freed: string[] = []
  let parts = 0
  origin.answer((request, response) => {
    if (request.url?.startsWith('/p.m3u8')) reply(response, playlist(++parts, hint(parts)), TYPE)
    else request.socket.on('close', () => freed.push(request.url ?? ''))
  })
  relais.clock.advance(500)
  await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`)
  await until(() => origin.count('/13.1.m4s') === 1, 'the hinted part is asked for')
  // The next version has the part: it is on its way, and is waited for.
  relais.clock.advance(500)
  await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=1`)
  await until(() => origin.count('/13.2.m4s') === 1, 'the next one is asked for')
  assert.deepEqual(freed, [])
  // An advertisement ended early: the parts hinted at are never made.
  origin.answer((_request, response) => reply(response, playlist(2).replace('13.1.m4s', 'other.m4s'), TYPE))
  relais.clock.advance(1000)
  await get(`${relais.url}/p.m3u8`)
  await until(() => freed.length === 2, 'both are let go')
})

test('parts that may not be kept are not asked for ahead a second time', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(0, hint(0)), TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/p.m3u8`)
  let parts = 0
  origin.answer((request, response) => {
    if (request.url?.startsWith('/p.m3u8')) reply(response, playlist(++parts, hint(parts)), TYPE)
    else reply(response, 'secret', { 'cache-control': 'no-store' })
  })
  for (const part of [0, 1, 2]) {
    relais.clock.advance(500)
    await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=${part}`)
    await until(async () => (await relais.stats()).fills === 0, 'nothing is under way')
  }
  assert.equal(origin.count('/13.1.m4s'), 1)
  assert.equal(origin.count('/13.2.m4s') + origin.count('/13.3.m4s'), 0)
})

test('a HEAD has what a GET would have, and while its origin holds it nobody waits for its place', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(1), TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url], file: { upstream: { connections: 1 } } })
  const url = `${relais.url}/p.m3u8`
  const whole = await get(url)
  // What is here already is the answer, and what nobody can mean is refused.
  const here = await get(`${url}?_HLS_msn=13&_HLS_part=0`, { method: 'HEAD' })
  assert.deepEqual([here.status, here.headers['content-length']], [200, String(whole.body.byteLength)])
  assert.equal((await get(`${url}?_HLS_msn=99`, { method: 'HEAD' })).status, 400)
  assert.equal(origin.count(), 1)
  let held: ServerResponse | undefined
  origin.answer((_request, response) => {
    held = response
  })
  const waiting = get(`${url}?_HLS_msn=13&_HLS_part=1`, { method: 'HEAD' })
  await origin.reached(2)
  origin.answer((_request, response) => reply(response, 'a segment'))
  assert.equal((await get(`${relais.url}/12.m4s`)).status, 200)
  assert.ok(held !== undefined)
  reply(held, playlist(2), TYPE)
  assert.equal((await waiting).status, 200)
})

test('a part that is not here is not asked for by one who wants only what is stored', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(0), TYPE))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/p.m3u8`)
  const headers = { 'cache-control': 'only-if-cached' }
  assert.equal((await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`, { headers })).status, 504)
  assert.equal(origin.count(), 1)
})
