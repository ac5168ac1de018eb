/** Large bodies in slices: any range in any order, and each byte asked of the origin once. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { filmBytes, MIB, openFilmOrigin } from '../support/film.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const range = (first: number, last: number | '' = ''): { headers: Record<string, string> } => ({
  headers: { range: `bytes=${first}-${last}` },
})
const slice = (index: number, sliceBytes = 2 * MIB): string =>
  `bytes=${index * sliceBytes}-${(index + 1) * sliceBytes - 1}`

test('a short range of a cold film asks the origin for one slice', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const answer = await get(`${relais.url}/film.mp4`, range(5_000_000, 5_001_023))
  assert.equal(answer.status, 206)
  assert.equal(answer.headers['content-range'], `bytes 5000000-5001023/${8 * MIB}`)
  assert.equal(answer.headers['cache-status'], 'test; fwd=uri-miss; fwd-status=206; stored; ttl=60')
  assert.ok(answer.body.equals(filmBytes(5_000_000, 5_001_023)))
  assert.deepEqual(origin.ranges, [slice(2)])
})

test('the whole film asks only for what a range has not brought before', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(5_000_000, 5_001_023))
  const whole = await get(`${relais.url}/film.mp4`)
  assert.equal(whole.status, 200)
  assert.equal(whole.headers['content-length'], String(8 * MIB))
  assert.equal(whole.headers['content-range'], undefined)
  assert.equal(whole.headers['cache-status'], 'test; fwd=partial; fwd-status=206; stored; ttl=60')
  assert.ok(whole.body.equals(filmBytes(0, 8 * MIB - 1)))
  assert.deepEqual([...origin.ranges].sort(), [slice(0), slice(1), slice(2), slice(3)])
  assert.equal(origin.bytesAsked, 8 * MIB)
  const again = await get(`${relais.url}/film.mp4`)
  assert.equal(again.headers['cache-status'], 'test; hit; ttl=60')
  assert.ok(again.body.equals(whole.body))
  assert.equal(origin.count(), 4)
})

test('every slice is asked for with the validator that binds it to the others', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`)
  const [first, ...others] = origin.asked.map(({ headers }) => headers['if-range'])
  assert.equal(first, undefined)
  assert.deepEqual(others, ['"one"', '"one"', '"one"'])
})

test('ranges of every kind are answered from slices', async (t) => {
  const origin = await openFilmOrigin(t, { size: 5 * MIB + 17 })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const size = 5 * MIB + 17
  const cases: [string, number, number][] = [
    ['bytes=-1000', size - 1000, size - 1],
    ['bytes=0-0', 0, 0],
    [`bytes=${size - 1}-`, size - 1, size - 1],
    [`bytes=${2 * MIB - 1}-${2 * MIB}`, 2 * MIB - 1, 2 * MIB],
    [`bytes=${MIB}-9007199254740991`, MIB, size - 1],
    [`bytes=-${size + 1}`, 0, size - 1],
  ]
  for (const [asked, first, last] of cases) {
    const answer = await get(`${relais.url}/film.mp4`, { headers: { range: asked } })
    assert.equal(answer.status, 206, asked)
    assert.equal(answer.headers['content-range'], `bytes ${first}-${last}/${size}`)
    assert.ok(answer.body.equals(filmBytes(first, last)), asked)
  }
  assert.equal(origin.count(), 3)
})

test('a range behind the end is refused, and what told so is kept', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const from of [8 * MIB, 9_000_000, Number.MAX_SAFE_INTEGER]) {
    const answer = await get(`${relais.url}/film.mp4`, range(from))
    assert.equal(answer.status, 416)
    assert.equal(answer.headers['content-range'], `bytes */${8 * MIB}`)
  }
  assert.deepEqual(origin.ranges, [slice(4), slice(0)])
})

test('what fits into one slice is stored whole', async (t) => {
  const origin = await openFilmOrigin(t, { size: MIB })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const part = await get(`${relais.url}/film.mp4`, range(100, 199))
  assert.ok(part.body.equals(filmBytes(100, 199)))
  await settled(relais)
  const whole = await get(`${relais.url}/film.mp4`)
  assert.equal(whole.headers['cache-status'], 'test; hit; ttl=60')
  assert.ok(whole.body.equals(filmBytes(0, MIB - 1)))
  assert.equal(origin.count(), 1)
  assert.equal((await settled(relais)).memory.entries, 1)
})

test('an origin without ranges is asked for the whole once, and ranges are cut here', async (t) => {
  const origin = await openFilmOrigin(t, { ranges: false })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const first of [7_000_000, 0, 3_000_000]) {
    const answer = await get(`${relais.url}/film.mp4`, range(first, first + 99))
    assert.equal(answer.status, 206)
    assert.ok(answer.body.equals(filmBytes(first, first + 99)))
  }
  assert.equal(origin.count(), 1)
})

test('a large segment that the origin sends whole is cut into slices, and the rest asked for as it is wanted', async (t) => {
  const origin = await openFilmOrigin(t, { size: 12 * MIB })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const whole = await get(`${relais.url}/seg1.ts`)
  assert.equal(whole.status, 200)
  assert.ok(whole.body.equals(filmBytes(0, 12 * MIB - 1)))
  assert.deepEqual(origin.ranges, ['', slice(1), slice(2), slice(3), slice(4), slice(5)])
  const hit = await get(`${relais.url}/seg1.ts`, range(11 * MIB, 11 * MIB + 9))
  assert.equal(hit.headers['cache-status'], 'test; hit; ttl=60')
})

test('without a strong validator a large body is not put together of parts', async (t) => {
  const origin = await openFilmOrigin(t, { etag: 'W/"weak"', size: 12 * MIB })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const answer = await get(`${relais.url}/film.mp4`, range(4_000_000, 4_000_099))
  assert.ok(answer.body.equals(filmBytes(4_000_000, 4_000_099)))
  assert.equal((await settled(relais)).memory.entries, 0)
  // The second viewer is passed at once.
  await get(`${relais.url}/film.mp4`, range(1, 2))
  assert.deepEqual(origin.ranges, [slice(1), 'bytes=4000000-4000099', 'bytes=1-2'])
})

test('without a strong validator a body of moderate size is filled whole', async (t) => {
  const origin = await openFilmOrigin(t, { etag: undefined, size: 5 * MIB })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const first of [4_000_000, 1]) {
    const answer = await get(`${relais.url}/film.mp4`, range(first, first + 9))
    assert.ok(answer.body.equals(filmBytes(first, first + 9)))
  }
  assert.deepEqual(origin.ranges, [slice(1), ''])
})

test('a Last-Modified long before the response binds slices too', async (t) => {
  const origin = await openFilmOrigin(t, {
    etag: undefined,
    fields: { 'cache-control': 'max-age=60', 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' },
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(0, 9))
  await get(`${relais.url}/film.mp4`, range(3_000_000, 3_000_009))
  assert.deepEqual(origin.ranges, [slice(0), slice(1)])
  assert.equal(origin.asked[1]?.headers['if-range'], 'Mon, 01 Jan 2024 00:00:00 GMT')
})

test('viewers of one slice wait for the same request', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(0, 9))
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, viewer) =>
      get(`${relais.url}/film.mp4`, range(5_000_000 + viewer, 5_000_999)),
    ),
  )
  for (const [viewer, answer] of answers.entries()) {
    assert.ok(answer.body.equals(filmBytes(5_000_000 + viewer, 5_000_999)))
  }
  assert.equal(origin.count(), 2)
  const { requests } = await relais.stats()
  assert.deepEqual([requests.miss, requests.collapsed + requests.hit], [2, 49])
})

test('viewers of different parts of a cold film make one request a slice', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, viewer) => {
      const first = (viewer * 7_919_123) % (8 * MIB - 1000)
      return get(`${relais.url}/film.mp4`, range(first, first + 999)).then((answer) => ({ first, answer }))
    }),
  )
  for (const { first, answer } of answers) assert.ok(answer.body.equals(filmBytes(first, first + 999)))
  assert.ok(origin.count() <= 5, origin.ranges.join(' '))
  assert.ok(origin.bytesAsked <= 8 * MIB)
})

test('a film that has changed is never put together of its old and its new slices', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(0, 9))
  Object.assign(origin.film, { etag: '"two"', take: 2 })
  // Slice 1 is asked for with the old validator, and the origin says that it is gone.
  const answer = await get(`${relais.url}/film.mp4`, range(3_000_000, 3_000_099))
  assert.equal(answer.headers['etag'], '"two"')
  assert.ok(answer.body.equals(filmBytes(3_000_000, 3_000_099, 2)))
  const first = await get(`${relais.url}/film.mp4`, range(0, 99))
  assert.equal(first.headers['etag'], '"two"')
  assert.ok(first.body.equals(filmBytes(0, 99, 2)))
})

test('a film that changes under a viewer breaks off, and is never mixed', async (t) => {
  const origin = await openFilmOrigin(t, { size: 16 * MIB })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(0, 2 * MIB - 1))
  const viewer = openViewer(`${relais.url}/film.mp4`, { paused: true })
  await viewer.head
  Object.assign(origin.film, { etag: '"two"', take: 2 })
  viewer.resume()
  const { body, isWhole } = await viewer.answer
  assert.equal(isWhole, false)
  assert.ok(body.equals(filmBytes(0, body.byteLength - 1)))
  const after = await get(`${relais.url}/film.mp4`)
  assert.ok(after.isWhole && after.body.equals(filmBytes(0, 16 * MIB - 1, 2)))
})

test('a stale film is validated without asking for any of it, and keeps its slices', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(3_000_000, 3_000_009))
  await settled(relais)
  relais.clock.advance(61_000)
  const answer = await get(`${relais.url}/film.mp4`, range(3_000_000, 3_000_009))
  assert.equal(answer.headers['cache-status'], 'test; fwd=stale; fwd-status=304; stored; ttl=60')
  assert.equal(origin.bytesAsked, 2 * MIB)
  assert.equal(origin.asked[1]?.headers['if-none-match'], '"one"')
})

test('a stale film that has changed brings the wanted slice at once, and its old slices are gone', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`)
  assert.equal((await settled(relais)).memory.entries, 5)
  Object.assign(origin.film, { etag: '"two"', take: 2 })
  relais.clock.advance(61_000)
  const answer = await get(`${relais.url}/film.mp4`, range(3_000_000, 3_000_009))
  assert.ok(answer.body.equals(filmBytes(3_000_000, 3_000_009, 2)))
  assert.equal(origin.bytesAsked, 10 * MIB)
  assert.equal((await settled(relais)).memory.entries, 2)
})

test('a write to a film forgets all of its slices', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`)
  await get(`${relais.url}/film.mp4`, { method: 'POST', body: 'x' })
  await until(async () => (await relais.stats()).memory.entries === 0, 'nothing of it is stored')
})

test('a film in slices outlives a restart on disk', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'relais-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  const origin = await openFilmOrigin(t)
  const file = { disk: { path, maxBytes: '64MB' } }
  const before = await openTestRelais(t, { origins: [origin.url], file })
  await get(`${before.url}/film.mp4`)
  await settled(before)
  await before.close()
  const after = await openTestRelais(t, { origins: [origin.url], file })
  const whole = await get(`${after.url}/film.mp4`)
  assert.equal(whole.headers['cache-status'], 'test; hit; ttl=60')
  assert.ok(whole.body.equals(filmBytes(0, 8 * MIB - 1)))
  assert.equal(origin.count(), 4)
})

test('a film much larger than all stores streams through, each slice once', async (t) => {
  const origin = await openFilmOrigin(t, { size: 100 * MIB })
  const file = { memory: { maxBytes: '16MB', maxEntryBytes: '8MB' } }
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  const viewer = openViewer(`${relais.url}/film.mp4`, { keep: false })
  const { isWhole } = await viewer.answer
  assert.ok(isWhole)
  assert.equal(viewer.received, 100 * MIB)
  assert.equal(origin.bytesAsked, 100 * MIB)
  const { memory } = await settled(relais)
  assert.ok(memory.bytes <= 16 * MIB)
})

test('the bytes of every hit in slices are counted, and they are the right ones', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`)
  const edge = 4 * MIB
  const parts: [number, number][] = [
    [0, 0],
    [edge - 1, edge],
    [edge - 1000, edge + 999],
    [1_000_000, 1_000_000 + 4 * MIB - 1],
    [1_000_000, 1_000_000 + 4 * MIB],
    [0, 8 * MIB - 1],
    [8 * MIB - 1, 8 * MIB - 1],
  ]
  for (const [first, last] of parts) {
    const { bytes } = await settled(relais)
    const hit = await get(`${relais.url}/film.mp4`, range(first, last))
    assert.equal(hit.headers['cache-status'], 'test; hit; ttl=60')
    assert.ok(hit.body.equals(filmBytes(first, last)), `bytes ${first}-${last}`)
    const counted = bytes.toViewers + last - first + 1
    await until(
      async () => (await relais.stats()).bytes.toViewers === counted,
      `${counted} bytes are counted`,
    )
  }
  assert.equal(origin.count(), 4)
})

test('a body that claims to have millions of slices is passed, and nobody counts to its end', async (t) => {
  for (const size of [Number.MAX_SAFE_INTEGER, 2 * MIB * (2 ** 20 + 1)]) {
    const origin = await openFilmOrigin(t, { size })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    for (const take of [1, 2]) {
      Object.assign(origin.film, { etag: `"${take}"`, take })
      const answer = await get(`${relais.url}/film.mp4`, range(5_000_000, 5_000_099))
      assert.ok(answer.body.equals(filmBytes(5_000_000, 5_000_099, take)))
    }
    assert.equal((await settled(relais)).memory.entries, 0)
  }
})

test('HEAD and a condition that holds need no slice', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(0, 9))
  const head = await get(`${relais.url}/film.mp4`, { method: 'HEAD' })
  assert.equal(head.headers['content-length'], String(8 * MIB))
  assert.equal(head.headers['cache-status'], 'test; hit; ttl=60')
  const same = await get(`${relais.url}/film.mp4`, { headers: { 'if-none-match': '"one"' } })
  assert.equal(same.status, 304)
  assert.equal(origin.count(), 1)
})

test('an error of the origin for the first slice reaches the viewer as it is, and forgets nothing', async (t) => {
  const origin = await openFilmOrigin(t)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(0, 9))
  origin.answer((_request, response) => {
    response.writeHead(500, { 'content-length': '4' })
    response.end('sick')
  })
  const answer = await get(`${relais.url}/film.mp4`, range(3_000_000, 3_000_009))
  assert.equal(answer.status, 500)
  assert.equal((await get(`${relais.url}/film.mp4`, range(0, 9))).status, 206)
})

test('what is stored of a film stands in for a failing origin, where all that is wanted is stored', async (t) => {
  const origin = await openFilmOrigin(t, { fields: { 'cache-control': 'max-age=60, stale-if-error=600' } })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/film.mp4`, range(0, 9))
  await settled(relais)
  relais.clock.advance(61_000)
  origin.answer((_request, response) => {
    response.writeHead(500, { 'content-length': '4' })
    response.end('sick')
  })
  const held = await get(`${relais.url}/film.mp4`, range(0, 9))
  assert.ok(held.status === 206 && held.body.equals(filmBytes(0, 9)))
  assert.equal((await get(`${relais.url}/film.mp4`, range(3_000_000, 3_000_009))).status, 500)
})

test('parts whose Content-Range lies are not stored, and the film is filled whole then', async (t) => {
  for (const lie of ['bytes 0-2097151/9000000', 'bytes 5-10/8388608', 'bytes */8388608', 'nonsense']) {
    const origin = await openFilmOrigin(t)
    const relais = await openTestRelais(t, { origins: [origin.url] })
    await get(`${relais.url}/film.mp4`, range(0, 9))
    let lies = 0
    origin.answer((request, response) => {
      if (request.headers['if-range'] !== undefined) {
        lies++
        const fields = { etag: '"one"', 'content-range': lie, 'content-length': '6' }
        response.writeHead(206, { ...fields, 'cache-control': 'max-age=60' })
        response.end('untrue')
        return
      }
      const body = filmBytes(0, 8 * MIB - 1)
      response.writeHead(200, {
        etag: '"one"',
        'content-length': String(body.byteLength),
        'cache-control': 'max-age=60',
      })
      response.end(body)
    })
    const answer = await get(`${relais.url}/film.mp4`, range(3_000_000, 3_000_099))
    assert.ok(answer.body.equals(filmBytes(3_000_000, 3_000_099)), lie)
    assert.equal(lies, 1)
  }
})

test('the head of a film is not evicted before its slices', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'relais-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  const origin = await openFilmOrigin(t, { size: 64 * MIB })
  const file = { memory: { maxBytes: '12MB', maxEntryBytes: '4MB' }, disk: { path, maxBytes: '20MB' } }
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  // One long answer, whose head was looked up once, at its beginning.
  const whole = await get(`${relais.url}/film.mp4`)
  assert.equal(whole.body.byteLength, 64 * MIB)
  assert.ok((await settled(relais)).disk.evictions > 0)
  const asked = origin.count()
  const tail = await get(`${relais.url}/film.mp4`, range(63 * MIB, 63 * MIB + 9))
  assert.equal(tail.headers['cache-status'], 'test; hit; ttl=60')
  assert.equal(origin.count(), asked)
})

test('what is bound by another validator each time is filled whole in the end', async (t) => {
  const origin = await openFilmOrigin(t, { size: 12 * MIB })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  origin.answer((request, response) => {
    origin.film.etag = `"${origin.count()}"`
    return origin.show(request, response)
  })
  let isWhole = false
  for (let tries = 0; tries < 4 && !isWhole; tries++) {
    const answer = await get(`${relais.url}/film.mp4`)
    isWhole = answer.isWhole
    if (isWhole) assert.ok(answer.body.equals(filmBytes(0, 12 * MIB - 1)))
  }
  assert.ok(isWhole)
})

test('a film whose viewer leaves is not asked for any further', async (t) => {
  const origin = await openFilmOrigin(t, { size: 64 * MIB })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const viewer = openViewer(`${relais.url}/film.mp4`, { paused: true })
  await viewer.head
  viewer.leave()
  await settled(relais)
  assert.ok(origin.bytesAsked < 24 * MIB, `${origin.bytesAsked}`)
})
