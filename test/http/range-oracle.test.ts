/** Ranges against a plain oracle, over sockets: whatever is asked, of bodies in memory, on disk, and on their way. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { formatHttpDate } from '../../src/rfc/http-date.ts'
import { directory } from '../store/support/disks.ts'
import { barrier, until } from '../support/barrier.ts'
import { get, type Response } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { partsOf } from '../support/multipart.ts'
import { openOrigin, reply } from '../support/origin.ts'
import fc from '../support/properties.ts'
import { rangeFields } from '../support/range-fields.ts'
import { assertObeyed, type Sent } from '../support/range-oracle.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const NOW = formatHttpDate(testClock().now())
const DATED = { date: NOW, 'last-modified': 'Wed, 01 Jan 2025 00:00:00 GMT' }
const FRESH = { 'cache-control': 'max-age=60', etag: '"1"', 'content-type': 'video/mp4', ...DATED }
const SIZES = [0, 1, 2, 79, 300, 1000, 3000]
const RUNS = 60

/** Reads what was sent, holding every byte of it against the original. */
function sentOf(answer: Response, whole: Buffer, range: string): Sent {
  const { status, headers, body } = answer
  const length = headers['content-length']
  assert.ok(answer.isWhole, range)
  if (length !== undefined) assert.equal(length, String(body.byteLength), range)
  if (status === 200) {
    assert.ok(body.equals(whole), range)
    return 'whole'
  }
  if (status === 416) {
    assert.equal(headers['content-range'], `bytes */${whole.byteLength}`)
    assert.equal(body.byteLength, 0)
    return 'unsatisfiable'
  }
  assert.equal(status, 206, range)
  const place = headers['content-range']
  if (place === undefined) {
    const parts = partsOf(headers['content-type'], body)
    assert.ok(parts.length > 1, `one part is no reason for a multipart answer: ${range}`)
    for (const { first, last, size, bytes } of parts) {
      assert.ok(size === '*' || size === String(whole.byteLength), range)
      assert.ok(bytes.equals(whole.subarray(first, last + 1)), range)
    }
    return parts
  }
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(place) ?? []
  assert.ok(size === '*' || size === String(whole.byteLength), place)
  const isToTheEnd = last === String(Number.MAX_SAFE_INTEGER)
  const part = { first: Number(first), last: isToTheEnd ? whole.byteLength - 1 : Number(last) }
  assert.ok(body.equals(whole.subarray(part.first, part.last + 1)), `${range}: ${place}`)
  return [part]
}

async function hold(url: string, whole: Buffer): Promise<void> {
  await fc.assert(
    fc.asyncProperty(rangeFields(whole.byteLength), async (range) => {
      const answer = await get(url, { headers: { range } })
      assertObeyed(range, whole.byteLength, sentOf(answer, whole, range))
    }),
    { numRuns: RUNS },
  )
}

async function open(
  t: TestContext,
  bodies: ReadonlyMap<string, Buffer>,
  file: Record<string, unknown>,
): Promise<{ relais: TestRelais; asked: () => number }> {
  const origin = await openOrigin(t, (request, response) =>
    reply(response, bodies.get(request.url ?? '') ?? '', FRESH),
  )
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  for (const path of bodies.keys()) await get(relais.url + path)
  return { relais, asked: origin.count }
}

test('of bodies in memory every Range gets exactly its bytes', async (t) => {
  const bodies = new Map(SIZES.map((size) => [`/${size}.mp4`, randomBytes(size)]))
  const { relais, asked } = await open(t, bodies, {})
  for (const [path, whole] of bodies) await hold(relais.url + path, whole)
  assert.equal(asked(), bodies.size)
})

test('of bodies on disk every Range gets exactly its bytes', async (t) => {
  const bodies = new Map(SIZES.map((size) => [`/${size}.mp4`, randomBytes(size)]))
  const disk = { path: await directory(t), maxBytes: '100MB' }
  const { relais, asked } = await open(t, bodies, { disk, memory: { maxBytes: '1MB', maxEntryBytes: 1 } })
  assert.equal((await settled(relais)).disk.entries, bodies.size)
  for (const [path, whole] of bodies) await hold(relais.url + path, whole)
  assert.equal(asked(), bodies.size)
  assert.equal((await relais.stats()).memory.entries, 0)
})

for (const isSized of [true, false]) {
  test(`of bodies on their way whose size is ${isSized ? '' : 'not '}known every Range gets exactly its bytes`, async (t) => {
    const size = 3000
    const whole = randomBytes(size)
    let rest = barrier()
    const origin = await openOrigin(t, async (_request, response) => {
      const { opened } = rest
      response.writeHead(200, { ...FRESH, ...(isSized ? { 'content-length': String(size) } : {}) })
      response.write(whole.subarray(0, 1200))
      await opened
      response.end(whole.subarray(1200))
    })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(rangeFields(size), { minLength: 20, maxLength: 20 }), async (ranges) => {
        rest = barrier()
        const url = `${relais.url}/${++round}.mp4`
        const first = openViewer(url)
        await first.reached(1200)
        const answers = ranges.map((range) => get(url, { headers: { range } }))
        await until(async () => {
          const { collapsed } = (await relais.stats()).requests
          return collapsed === round * ranges.length
        }, 'all of them walk along')
        rest.open()
        for (const [index, answer] of (await Promise.all(answers)).entries()) {
          const range = ranges[index] ?? ''
          const sent = sentOf(answer, whole, range)
          // From the first byte to an end that nobody knows yet is the whole.
          if (!isSized && sent === 'whole' && /^bytes=[\s,]*0+-[\s,]*$/i.test(range)) continue
          assertObeyed(range, size, sent, true)
        }
        assert.equal(origin.count(), round)
      }),
      { numRuns: 8, endOnFailure: true },
    )
  })
}

test('If-Range cuts only for a strong validator that is the stored one, wherever the body lies', async (t) => {
  const whole = randomBytes(1000)
  const modified = FRESH['last-modified']
  const validators: readonly (readonly [Record<string, string>, string, boolean])[] = [
    [{ etag: '"1"' }, '"1"', true],
    [{ etag: '"1"' }, '"2"', false],
    [{ etag: '"1"' }, 'W/"1"', false],
    [{ etag: 'W/"1"' }, 'W/"1"', false],
    [{ etag: 'W/"1"' }, '"1"', false],
    [{ etag: '"1"', ...DATED }, modified, true],
    [DATED, modified, true],
    [DATED, 'Wed, 01 Jan 2025 00:00:01 GMT', false],
    // Changed and sent within one second: it may have changed again (RFC 9110 section 8.8.2.2).
    [{ date: NOW, 'last-modified': NOW }, NOW, false],
    [{}, '"1"', false],
    [{}, modified, false],
  ]
  const said = new Map(validators.map(([fields], index) => [`/${index}.mp4`, fields]))
  for (const place of ['memory', 'disk', 'on its way'] as const) {
    const rest = barrier()
    const origin = await openOrigin(t, async (request, response) => {
      const fields = { 'cache-control': 'max-age=60', ...said.get(request.url ?? '') }
      response.writeHead(200, { 'content-length': '1000', ...fields })
      response.write(whole.subarray(0, 500))
      if (place === 'on its way') await rest.opened
      response.end(whole.subarray(500))
    })
    const disk = { path: place === 'disk' ? await directory(t) : 'none', maxBytes: '100MB' }
    const memory = { maxBytes: '1MB', ...(place === 'disk' ? { maxEntryBytes: 1 } : {}) }
    const relais = await openTestRelais(t, { origins: [origin.url], file: { disk, memory } })
    for (const [index, [fields, condition, isCut]] of validators.entries()) {
      const url = `${relais.url}/${index}.mp4`
      const first = openViewer(url)
      await (place === 'on its way' ? first.reached(500) : first.answer)
      for (const range of ['bytes=10-19', 'bytes=10-19,300-309', 'bytes=-10', 'bytes=2000-']) {
        const answer = openViewer(url, { headers: { range, 'if-range': condition } })
        const { status } = await answer.head
        const expected = !isCut ? 200 : range === 'bytes=2000-' ? 416 : 206
        assert.equal(status, expected, `${place}: ${JSON.stringify(fields)} ${condition} ${range}`)
        answer.leave()
      }
    }
    assert.equal(origin.count(), validators.length)
    rest.open()
    await settled(relais)
  }
})
