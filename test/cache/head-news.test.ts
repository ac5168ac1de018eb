/** The answer to a HEAD renews what is stored, or makes it stale (RFC 9111 section 4.3.5). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { afterHead } from '../../src/cache/head-news.ts'
import type { Fields } from '../../src/rfc/heads.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { storedOf } from './support/route.ts'

const LM = 'Wed, 01 Jan 2025 00:00:00 GMT'
const LATER = 'Thu, 02 Jan 2025 00:00:00 GMT'
const STORED: Fields = { etag: '"1"', 'last-modified': LM, 'x-a': '1' }

/** Until when what is stored is fresh after a HEAD that was answered at 5 s with a lifetime of 100 s. */
function freshAfter(answer: Fields, status = 200, stored = STORED): number | undefined {
  const fields = { 'cache-control': 'max-age=100', ...answer }
  const told = { status, fields, requestedAt: 5_000, receivedAt: 5_000 }
  return afterHead(storedOf(stored), told, 'forward')?.freshness.freshUntil
}

const ANSWERS: readonly (readonly [string, Fields, number])[] = [
  ['the same tag', { etag: '"1"' }, 105_000],
  ['the same date', { 'last-modified': LM }, 105_000],
  ['the same tag, date and length', { etag: '"1"', 'last-modified': LM, 'content-length': '0' }, 105_000],
  ['another tag', { etag: '"2"' }, 5_000],
  ['the same tag and another date', { etag: '"1"', 'last-modified': LATER }, 5_000],
  ['the same tag and another length', { etag: '"1"', 'content-length': '7' }, 5_000],
  ['a length that is none', { etag: '"1"', 'content-length': 'x' }, 5_000],
  ['no validator', { 'content-length': '0' }, 5_000],
  ['the same tag, for one viewer', { etag: '"1"', 'cache-control': 'private' }, 5_000],
  ['the same tag, not to be stored', { etag: '"1"', 'cache-control': 'no-store' }, 5_000],
]
for (const [what, answer, expected] of ANSWERS) {
  test(`after a HEAD with ${what} it is fresh until ${expected} ms`, () => {
    assert.equal(freshAfter(answer), expected)
  })
}

test('a HEAD that failed tells nothing of what is stored', () => {
  for (const status of [304, 404, 410, 503]) assert.equal(freshAfter({ etag: '"2"' }, status), undefined)
})

test('what is stale already is not made fresher by an answer that speaks of another', () => {
  const told = { status: 200, fields: { etag: '"2"' }, requestedAt: 90_000, receivedAt: 90_000 }
  const head = afterHead(storedOf(STORED), told, 'forward')
  assert.deepEqual(head?.freshness.freshUntil, 10_000)
  assert.deepEqual(head?.freshness.staleIfErrorUntil, 60_000)
})

test('a HEAD with the same validators renews what is stored and its fields; the next GET costs the origin nothing', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    const news = request.method === 'HEAD' ? '2' : '1'
    reply(response, 'segment', { 'cache-control': 'max-age=10', etag: '"1"', 'x-news': news })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.ts`
  await get(url)
  relais.clock.advance(11_000)
  assert.equal((await get(url, { method: 'HEAD' })).headers['x-news'], '2')
  relais.clock.advance(9_000)
  const hit = await get(url)
  assert.match(String(hit.headers['cache-status']), /; hit; ttl=1/)
  assert.deepEqual([hit.headers['x-news'], hit.headers.age, String(hit.body)], ['2', '9', 'segment'])
  assert.equal(origin.count(), 2)
})

test('a HEAD that speaks of another version has the stored one validated, fresh as it was', async (t) => {
  let version = 1
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, `segment ${version}`, { 'cache-control': 'max-age=60', etag: `"${version}"` }),
  )
  const routes = [{ prefix: '/', origins: [origin.url], requestDirectives: 'honour' }]
  const relais = await openTestRelais(t, { file: { routes } })
  const url = `${relais.url}/seg1.ts`
  await get(url)
  version = 2
  await get(url, { method: 'HEAD', headers: { 'cache-control': 'no-cache' } })
  assert.equal(String((await get(url)).body), 'segment 2')
  assert.equal(origin.asked[2]?.headers['if-none-match'], '"1"')
})

const VOD = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nORIGIN/a.ts\n#EXT-X-ENDLIST\n'

test('a HEAD with the validator of the origin renews a manifest whose addresses were changed here', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, VOD.replace('ORIGIN', origin.url), { 'cache-control': 'max-age=10', etag: '"1"' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/vod.m3u8`
  const before = await get(url)
  relais.clock.advance(11_000)
  await get(url, { method: 'HEAD' })
  const after = await get(url)
  assert.match(String(after.headers['cache-status']), /; hit; ttl=10/)
  assert.equal(after.headers['etag'], before.headers['etag'])
  assert.equal(origin.count(), 2)
})

test('a HEAD of another version with the same date does not renew a manifest that was changed here', async (t) => {
  let tag = '"1"'
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, VOD.replace('ORIGIN', origin.url), {
      'cache-control': 'max-age=10',
      etag: tag,
      'last-modified': LM,
    }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/vod.m3u8`
  await get(url)
  relais.clock.advance(11_000)
  tag = '"2"'
  await get(url, { method: 'HEAD' })
  await get(url)
  assert.equal(origin.count(), 3)
})

test('a 304 or a HEAD that names another Vary does not make a text forget that it has codings', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    const headers = { 'cache-control': 'max-age=10', etag: '"1"', vary: 'X-Any' }
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304, headers).end()
    else reply(response, 'text '.repeat(1_000), { ...headers, 'content-type': 'text/vtt' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/subtitles.vtt`
  await get(url)
  for (const method of ['GET', 'HEAD']) {
    relais.clock.advance(11_000)
    await get(url, { method })
    const { headers } = await get(url, { headers: { 'accept-encoding': 'gzip' } })
    assert.match(String(headers['vary']), /accept-encoding/i, method)
    assert.equal(headers['etag'], '"1-gzip"')
  }
})
