/** What may be stored, for which reason not, and which fields are kept. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fields } from '../../src/rfc/heads.ts'
import {
  type NotStorable,
  type StoragePolicy,
  storability,
  storedFields,
  unsharedFields,
} from '../../src/rfc/storability.ts'

const SILENT: StoragePolicy = { cookies: 'forward', silentFreshMs: 0 }
const KIND: StoragePolicy = { cookies: 'forward', silentFreshMs: 3000 }
const FRESH: Fields = { 'cache-control': 'max-age=60' }

function verdict(
  status: number,
  fields: Fields,
  policy = SILENT,
  requestFields: Fields = {},
  method = 'GET',
): NotStorable | 'stored' {
  return storability({ method, target: '/', fields: requestFields }, { status, fields }, policy) ?? 'stored'
}

function said(cacheControl: string, more: Fields = {}): Fields {
  return { 'cache-control': cacheControl, ...more }
}

for (const status of [
  200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599,
]) {
  test(`a ${status} with a lifetime of its own is stored`, () => {
    assert.equal(verdict(status, FRESH), 'stored')
    assert.equal(verdict(status, { expires: '0' }), 'stored')
  })
}

for (const status of [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]) {
  test(`a ${status} of a silent origin is stored where its kind has a lifetime`, () => {
    assert.equal(verdict(status, {}, KIND), 'stored')
    assert.equal(verdict(status, {}, SILENT), 'no-lifetime')
  })
}

for (const status of [201, 202, 302, 303, 307, 400, 403, 429, 500, 502, 503, 504, 599]) {
  test(`a ${status} of a silent origin is not stored, except when it is public`, () => {
    assert.equal(verdict(status, {}, KIND), 'status')
    assert.equal(verdict(status, { etag: '"a"' }, KIND), 'status')
    assert.equal(verdict(status, said('public'), KIND), 'stored')
  })
}

const CASES: readonly (readonly [string, NotStorable | 'stored', ReturnType<typeof verdict>])[] = [
  ['an answer to HEAD', 'method', verdict(200, FRESH, KIND, {}, 'HEAD')],
  ['an answer to POST', 'method', verdict(200, FRESH, KIND, {}, 'POST')],
  ['a 206', 'partial', verdict(206, FRESH, KIND)],
  ['a 304', 'status', verdict(304, FRESH, KIND)],
  ['a 103', 'status', verdict(103, FRESH, KIND)],
  ['a 600', 'status', verdict(600, FRESH, KIND)],
  ['no-store', 'no-store', verdict(200, said('max-age=60, no-store'), KIND)],
  [
    'no-store with must-understand on a known status',
    'stored',
    verdict(200, said('max-age=60, no-store, must-understand')),
  ],
  [
    'must-understand on an unknown status',
    'status',
    verdict(599, said('max-age=60, no-store, must-understand')),
  ],
  [
    'no-store beside a targeted lifetime',
    'stored',
    verdict(200, said('no-store', { 'cdn-cache-control': 'max-age=60' })),
  ],
  ['a targeted no-store', 'no-store', verdict(200, said('max-age=60', { 'cdn-cache-control': 'no-store' }))],
  ['a targeted private', 'private', verdict(200, said('max-age=60', { 'cdn-cache-control': 'private' }))],
  ['private', 'private', verdict(200, said('private, max-age=60'), KIND)],
  ['private for some fields', 'stored', verdict(200, said('private="x-user", max-age=60'))],
  ['credentials and a lifetime', 'authorization', verdict(200, FRESH, KIND, { authorization: 'x' })],
  [
    'credentials and a targeted lifetime',
    'authorization',
    verdict(200, { 'cdn-cache-control': 'max-age=60' }, KIND, { authorization: 'x' }),
  ],
  [
    'credentials and proxy-revalidate',
    'authorization',
    verdict(200, said('max-age=60, proxy-revalidate'), KIND, { authorization: 'x' }),
  ],
  [
    'credentials and public',
    'stored',
    verdict(200, said('max-age=60, public'), KIND, { authorization: 'x' }),
  ],
  [
    'credentials and must-revalidate',
    'stored',
    verdict(200, said('max-age=60, must-revalidate'), KIND, { authorization: 'x' }),
  ],
  ['credentials and s-maxage', 'stored', verdict(200, said('s-maxage=60'), KIND, { authorization: 'x' })],
  ['Set-Cookie', 'set-cookie', verdict(200, { 'set-cookie': 'a=b' }, KIND)],
  [
    'Set-Cookie and max-age',
    'set-cookie',
    verdict(200, said('max-age=60', { 'set-cookie': ['a=b', 'c=d'] }), KIND),
  ],
  [
    'Set-Cookie and max-age, where cookies are shared',
    'stored',
    verdict(200, said('max-age=60', { 'set-cookie': 'a=b' }), { ...KIND, cookies: 'share' }),
  ],
  ['Set-Cookie and s-maxage', 'stored', verdict(200, said('s-maxage=60', { 'set-cookie': 'a=b' }))],
  ['Set-Cookie and public', 'stored', verdict(200, said('public, max-age=60', { 'set-cookie': 'a=b' }))],
  [
    'Set-Cookie and a targeted field',
    'stored',
    verdict(200, { 'cdn-cache-control': 'max-age=60', 'set-cookie': 'a=b' }),
  ],
  ['a cookie and silence', 'cookie', verdict(200, {}, KIND, { cookie: 'a=b' })],
  [
    'a cookie that was not forwarded, and silence',
    'stored',
    verdict(200, {}, { ...KIND, cookies: 'drop' }, { cookie: 'a=b' }),
  ],
  ['a cookie and a lifetime', 'stored', verdict(200, FRESH, KIND, { cookie: 'a=b' })],
  ['a cookie and public', 'stored', verdict(200, said('public'), KIND, { cookie: 'a=b' })],
  ['Vary: *', 'vary-any', verdict(200, { ...FRESH, vary: '*' })],
  ['Vary: foo, *', 'vary-any', verdict(200, { ...FRESH, vary: 'foo, *' })],
  ['an empty Vary, then *', 'vary-any', verdict(200, { ...FRESH, vary: ['', '*'] })],
  ['Vary: foo', 'stored', verdict(200, { ...FRESH, vary: 'foo' })],
  ['an ETag alone', 'stored', verdict(200, { etag: '"a"' })],
  ['a Last-Modified alone', 'stored', verdict(200, { 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' })],
  ['no-cache and an ETag', 'stored', verdict(200, said('no-cache', { etag: '"a"' }))],
  ['no-cache without a validator', 'no-lifetime', verdict(200, said('no-cache, max-age=60'), KIND)],
  ['max-age=0 alone, for those who wait with it', 'stored', verdict(200, said('max-age=0'))],
]
for (const [what, expected, actual] of CASES) {
  test(`${what}: ${expected}`, () => {
    assert.equal(actual, expected)
  })
}

test('fields of one connection, of one viewer and of one delivery are not kept', () => {
  const kept = {
    'content-type': 'video/mp4',
    etag: '"a"',
    'x-foo': ['1', '2'],
    'cache-status': 'origin; hit',
  }
  const fields = {
    ...kept,
    connection: 'X-Hop, close, Cache-Control',
    'x-hop': '1',
    'keep-alive': 'timeout=5',
    'proxy-connection': 'close',
    te: 'trailers',
    trailer: 'x',
    'transfer-encoding': 'chunked',
    upgrade: 'h2c',
    'proxy-authenticate': 'Basic',
    'proxy-authentication-info': 'x',
    'proxy-authorization': 'x',
    'set-cookie': ['a=b', 'c=d'],
    'content-length': '5',
    age: '7',
    'cmsd-dynamic': 'x',
    'cache-control': ['max-age=60, no-cache="X-Once, x-twice"', 'private=x-user'],
    'x-once': '1',
    'x-twice': '1',
    'x-user': '1',
  }
  assert.deepEqual(storedFields({ status: 200, fields }), {
    ...kept,
    'cache-control': fields['cache-control'],
  })
})

test('the qualified forms are heard where they rule: in the targeted field', () => {
  const fields = { 'cdn-cache-control': 'private="a"', 'cache-control': 'private="b"', a: '1', b: '2' }
  const { a, b } = storedFields({ status: 200, fields })
  assert.deepEqual([a, b], [undefined, '2'])
})

test('what is not kept and was meant for the one who asked is told apart', () => {
  const fields = {
    'cache-control': 'no-cache="x-once, keep-alive", private="x-user, age"',
    'x-once': '1',
    'x-user': ['2', '3'],
    'x-all': '4',
    'keep-alive': '5',
    age: '6',
    'set-cookie': ['a=b', 'c=d'],
  }
  const once = { 'x-once': '1', 'x-user': ['2', '3'] }
  assert.deepEqual(unsharedFields({ status: 200, fields }, 'forward'), {
    ...once,
    'set-cookie': ['a=b', 'c=d'],
  })
  assert.deepEqual(unsharedFields({ status: 200, fields }, 'drop'), once)
  assert.deepEqual(unsharedFields({ status: 200, fields }, 'share'), once)
  assert.equal(unsharedFields({ status: 200, fields: { 'x-all': '4' } }, 'forward'), undefined)
  assert.deepEqual(storedFields({ status: 200, fields: { 'set-cookie': 'a=b' } }, 'share'), {
    'set-cookie': 'a=b',
  })
})
