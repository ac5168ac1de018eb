/** Several ranges in one answer: its form, its length, its fields, and what the books say of it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { filmBytes, MIB, openFilmOrigin } from '../support/film.ts'
import { partsOf } from '../support/multipart.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'
import { openWire } from '../support/wire.ts'

const KB = 1024
const BODY = randomBytes(300 * KB)
const FRESH = { 'cache-control': 'max-age=60', etag: '"1"', 'content-type': 'video/mp4' }
const RANGE = `bytes=${200 * KB}-${200 * KB + 9}, 0-4, -7`

test('several ranges are answered as parts in the order they were asked for, each with its type and place', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, BODY, { ...FRESH, 'content-digest': 'sha-256=:AA==:', 'x-own': 'kept' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/film.mp4`
  await get(url)
  const { status, headers, body } = await get(url, { headers: { range: RANGE } })
  assert.equal(status, 206)
  assert.equal(headers['content-range'], undefined)
  assert.equal(headers['content-length'], String(body.byteLength))
  assert.equal(headers['content-digest'], undefined)
  assert.equal(headers['x-own'], 'kept')
  assert.equal(headers.etag, '"1"')
  assert.equal(headers['cache-status'], 'test; hit; ttl=60')
  const parts = partsOf(headers['content-type'], body)
  assert.deepEqual(
    parts.map(({ fields }) => fields),
    [
      `bytes ${200 * KB}-${200 * KB + 9}/${300 * KB}`,
      `bytes 0-4/${300 * KB}`,
      `bytes ${300 * KB - 7}-${300 * KB - 1}/${300 * KB}`,
    ].map((place) => ({ 'content-type': 'video/mp4', 'content-range': place })),
  )
  for (const { first, last, bytes } of parts) assert.ok(bytes.equals(BODY.subarray(first, last + 1)))
  const again = await get(url, { headers: { range: RANGE } })
  assert.notEqual(again.headers['content-type'], headers['content-type'], 'no boundary is used twice')
  assert.equal(again.body.byteLength, body.byteLength)
  assert.equal(origin.count(), 1)
  // What was handed to viewers is counted with what stands between the parts.
  const line = relais.log.findLast(({ msg }) => msg === 'request')
  assert.deepEqual([line?.['status'], line?.['outcome'], line?.['bytes']], [206, 'hit', body.byteLength])
  const { bytes } = await settled(relais)
  assert.equal(bytes.toViewers, BODY.byteLength + 2 * body.byteLength)
})

test('that ranges are cut here is said also where the origin says that it cuts none', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, BODY, { ...FRESH, 'accept-ranges': 'none' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const options of [{}, {}, { headers: { range: 'bytes=0-9' } }, { headers: { range: RANGE } }]) {
    const { headers } = await get(`${relais.url}/film.mp4`, options)
    assert.equal(headers['accept-ranges'], 'bytes')
  }
})

test('the parts of a response without a type have none', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, BODY, { 'cache-control': 'max-age=60' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`)
  const { headers, body } = await get(`${relais.url}/film.mp4`, { headers: { range: RANGE } })
  for (const { fields } of partsOf(headers['content-type'], body)) {
    assert.deepEqual(Object.keys(fields), ['content-range'])
  }
})

test('of several ranges those beyond the end are left out, and one that remains is a plain 206', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, BODY, FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/film.mp4`
  await get(url)
  const one = await get(url, { headers: { range: `bytes=${300 * KB}-, 5-8, ${400 * KB}-${500 * KB}` } })
  assert.equal(one.status, 206)
  assert.equal(one.headers['content-type'], 'video/mp4')
  assert.equal(one.headers['content-range'], `bytes 5-8/${300 * KB}`)
  assert.ok(one.body.equals(BODY.subarray(5, 9)))
  const none = await get(url, { headers: { range: `bytes=${300 * KB}-, ${400 * KB}-` } })
  assert.equal(none.status, 416)
  assert.equal(none.headers['content-range'], `bytes */${300 * KB}`)
  assert.equal(none.headers['content-type'], undefined)
  assert.equal(none.headers['cache-control'], 'no-store')
})

test('HEAD is not asked for ranges, be they one or many', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, BODY, FRESH))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`)
  for (const range of ['bytes=0-9', RANGE, `bytes=${300 * KB}-`]) {
    const wire = await openWire(
      t,
      relais.url,
      `HEAD /film.mp4 HTTP/1.1\r\nhost: x\r\nrange: ${range}\r\nconnection: close\r\n\r\n`,
    )
    const answer = await wire.closed
    assert.match(answer, /^HTTP\/1.1 200 [\s\S]*\r\n\r\n$/, range)
    assert.match(answer, new RegExp(`\r\ncontent-length: ${300 * KB}\r\n`))
    assert.doesNotMatch(answer, /content-range|multipart/)
  }
})

test('the parts of a body that comes are sent from front to back, each as soon as it is here', async (t) => {
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(BODY.byteLength) })
    response.write(BODY.subarray(0, 100 * KB))
    await rest.opened
    response.end(BODY.subarray(100 * KB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewer = openViewer(`${relais.url}/film.mp4`, { headers: { range: RANGE } })
  const { status, headers } = await viewer.head
  assert.equal(status, 206)
  await viewer.reached(100)
  rest.open()
  const { body, isWhole } = await viewer.answer
  assert.ok(isWhole)
  const parts = partsOf(headers['content-type'], body)
  assert.deepEqual(
    parts.map(({ first }) => first),
    [0, 200 * KB, 300 * KB - 7],
  )
  for (const { first, last, bytes } of parts) assert.ok(bytes.equals(BODY.subarray(first, last + 1)))
  assert.equal(origin.count(), 1)
})

test('the parts of a body of unknown size wait until all of them are here, and do not say how large it is', async (t) => {
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, FRESH)
    response.write(BODY.subarray(0, 100 * KB))
    await rest.opened
    response.end(BODY.subarray(100 * KB))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/film.mp4`
  const viewer = openViewer(url)
  await viewer.reached(100 * KB)
  const { headers, body } = await get(url, { headers: { range: 'bytes=5000-5009,0-9' } })
  for (const { first, last, size, bytes } of partsOf(headers['content-type'], body)) {
    assert.equal(size, '*')
    assert.ok(bytes.equals(BODY.subarray(first, last + 1)))
  }
  // One of these can only be told when the end is known.
  const late = openViewer(url, { headers: { range: 'bytes=0-9,-10' } })
  await until(async () => (await relais.stats()).requests.total === 3, 'it waits with the head in hand')
  rest.open()
  const told = await late.answer
  assert.deepEqual(
    partsOf(told.headers['content-type'], told.body).map(({ first, size }) => [first, size]),
    [
      [0, String(300 * KB)],
      [300 * KB - 10, String(300 * KB)],
    ],
  )
  assert.ok((await viewer.answer).body.equals(BODY))
  assert.equal(origin.count(), 1)
})

test('a body that breaks off between its parts resets the connection: no viewer takes them for all', async (t) => {
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': String(BODY.byteLength) })
    response.write(BODY.subarray(0, 100 * KB))
    await rest.opened
    response.destroy()
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewer = openViewer(`${relais.url}/film.mp4`, { headers: { range: RANGE } })
  await viewer.reached(100)
  rest.open()
  assert.equal((await viewer.answer).isWhole, false)
  assert.equal((await settled(relais)).cuts, 1)
})

test('the parts of a film in slices ask the origin for the slices they lie in, each once, and come in the order asked for', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/film.mp4`
  const range = `bytes=${5 * MIB}-${5 * MIB + 999},-10,${4 * MIB}-${4 * MIB + 9}`
  for (const status of [/fwd=uri-miss; fwd-status=206; stored/, /^test; hit; ttl=60$/]) {
    const { headers, body } = await get(url, { headers: { range } })
    assert.match(String(headers['cache-status']), status)
    assert.equal(headers['content-length'], String(body.byteLength))
    const parts = partsOf(headers['content-type'], body)
    assert.deepEqual(
      parts.map(({ first }) => first),
      [5 * MIB, 8 * MIB - 10, 4 * MIB],
    )
    for (const { first, last, bytes } of parts) assert.ok(bytes.equals(filmBytes(first, last)))
  }
  const slices = [2, 3].map((index) => `bytes=${index * 2 * MIB}-${(index + 1) * 2 * MIB - 1}`)
  assert.deepEqual([...origin.ranges].sort(), slices)
})

test('what is sent from slices in memory is counted when it has been sent, and a viewer who leaves is not waited for', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/film.mp4`
  await get(url)
  await settled(relais)
  const { body } = await get(url)
  assert.equal(body.byteLength, 8 * MIB)
  const all = relais.log.filter(({ msg }) => msg === 'request')
  await until(async () => (await relais.stats()).bytes.toViewers === 16 * MIB, 'both answers are counted')
  const leaver = openViewer(url, { paused: true })
  assert.match(String((await leaver.head).headers['cache-status']), /^test; hit/)
  leaver.leave()
  await until(async () => (await relais.stats()).cuts === 1, 'the answer is cut')
  await until(() => relais.log.filter(({ msg }) => msg === 'request').length > all.length, 'its line')
  const line = relais.log.findLast(({ msg }) => msg === 'request')
  assert.deepEqual([line?.['outcome'], line?.['isCut']], ['hit', true])
  assert.ok(Number(line?.['bytes']) < 8 * MIB)
  const { bytes } = await settled(relais)
  assert.equal(bytes.toViewers, 16 * MIB + Number(line?.['bytes']))
})
