/** Cache-Control in all the forms the wire has seen, and the targeted fields that stand above it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CacheControl, parseCacheControl, responseDirectives } from '../../src/rfc/cache-control.ts'
import type { Fields } from '../../src/rfc/heads.ts'
import fc from '../support/properties.ts'

const SILENCE = parseCacheControl(undefined)

const READ: readonly (readonly [string, Partial<CacheControl>])[] = [
  ['', {}],
  [', ,', {}],
  ['foobar', {}],
  ['max-age=3600', { maxAgeSeconds: 3600 }],
  ['MaX-aGe=3600', { maxAgeSeconds: 3600 }],
  ['max-age="3600"', { maxAgeSeconds: 3600 }],
  ['max-age="36\\00"', { maxAgeSeconds: 3600 }],
  ['max-age=003600', { maxAgeSeconds: 3600 }],
  ['max-age=2147483647', { maxAgeSeconds: 2147483647 }],
  ['max-age=2147483648', { maxAgeSeconds: 2147483648 }],
  ['max-age=99999999999', { maxAgeSeconds: 2147483648 }],
  [`max-age=${'9'.repeat(400)}`, { maxAgeSeconds: 2147483648 }],
  ['foobar, max-age=3600', { maxAgeSeconds: 3600 }],
  ['foo=bar;max-age=3600, s-maxage=7', { sMaxageSeconds: 7 }],
  ['max-age=10 ,\ts-maxage=20', { maxAgeSeconds: 10, sMaxageSeconds: 20 }],
  ['extension="max-age=3600", max-age=1', { maxAgeSeconds: 1 }],
  ['max-age=1, extension="max-age=3600"', { maxAgeSeconds: 1 }],
  ['extension="no-store, \\", private", max-age=1', { maxAgeSeconds: 1 }],
  ['no-store', { noStore: true }],
  ['No-StOrE', { noStore: true }],
  ['no-store=foo', { noStore: true }],
  [
    'public, must-revalidate, proxy-revalidate',
    { isPublic: true, mustRevalidate: true, proxyRevalidate: true },
  ],
  [
    'must-understand, immutable, no-transform, only-if-cached',
    { mustUnderstand: true, immutable: true, noTransform: true, onlyIfCached: true },
  ],
  [
    'stale-while-revalidate=5, stale-if-error="60"',
    { staleWhileRevalidateSeconds: 5, staleIfErrorSeconds: 60 },
  ],
  ['max-stale', { maxStaleSeconds: 'any' }],
  ['max-stale=10', { maxStaleSeconds: 10 }],
  ['max-stale, max-stale=10', { maxStaleSeconds: 10 }],
  ['max-stale=10, max-stale', { maxStaleSeconds: 10 }],
  ['min-fresh=10, min-fresh=20', { minFreshSeconds: 20 }],
  ['no-cache', { noCache: true }],
  ['no-cache="a"', { noCache: ['a'] }],
  ['no-cache="a, Set-Cookie"', { noCache: ['a', 'set-cookie'] }],
  ['no-cache=a', { noCache: ['a'] }],
  ['private="X-User"', { isPrivate: ['x-user'] }],
  ['private', { isPrivate: true }],
  // What cannot be read is taken in its strictest sense.
  ['no-cache=""', { noCache: true }],
  ['no-cache="a b"', { noCache: true }],
  ['private="', { isPrivate: true }],
  ['no-cache, no-cache="a"', { noCache: true }],
  ['no-cache="a", no-cache', { noCache: true }],
  ['no-cache="a", no-cache="b"', { noCache: ['a', 'b'] }],
  ['max-age', { maxAgeSeconds: 0 }],
  ['max-age=', { maxAgeSeconds: 0 }],
  ['max-age=-3600', { maxAgeSeconds: 0 }],
  ["max-age='3600'", { maxAgeSeconds: 0 }],
  ['max-age=3600.0', { maxAgeSeconds: 0 }],
  ['max-age=a3600', { maxAgeSeconds: 0 }],
  ['max-age=3600a', { maxAgeSeconds: 0 }],
  ['max-age =3600', { maxAgeSeconds: 0 }],
  ['max-age= 3600', { maxAgeSeconds: 0 }],
  ['max-age="3600"x', { maxAgeSeconds: 0 }],
  ['max-age=1800, max-age=1', { maxAgeSeconds: 1 }],
  ['max-age=1, max-age=1800', { maxAgeSeconds: 1 }],
  ['s-maxage=5, s-maxage=x', { sMaxageSeconds: 0 }],
  ['stale-while-revalidate=x', { staleWhileRevalidateSeconds: 0 }],
  // A quote that never closes hides nothing.
  ['foo="bar, no-store', { noStore: true }],
  ['foo="\\", no-store', { noStore: true }],
  ['foo="a", bar="b, private', { isPrivate: true }],
]
for (const [value, expected] of READ) {
  test(`Cache-Control "${value.slice(0, 60)}" is read as ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(parseCacheControl(value), { ...SILENCE, ...expected })
  })
}

test('a directive once said is never taken back by what follows it', () => {
  const anything = fc.array(
    fc.constantFrom('no-store', 'max-age=1', 'x="a,b"', ',', '"', 'a=b', ' ', 'no-cache', '\\', '=', 'x='),
  )
  fc.assert(
    fc.property(anything, (parts) => {
      assert.equal(parseCacheControl(`no-store, max-age=0, ${parts.join('')}`).noStore, true)
      assert.equal(parseCacheControl(`no-store, max-age=0, ${parts.join('')}`).maxAgeSeconds, 0)
    }),
  )
})

function targeted(
  fields: Fields,
  targets?: readonly string[],
): Partial<CacheControl> & { targeted: boolean } {
  const { directives, targeted } = responseDirectives(fields, targets)
  const said = Object.entries(directives).filter(
    ([name, value]) => value !== SILENCE[name as keyof CacheControl],
  )
  return { ...Object.fromEntries(said), targeted }
}

const cc = { 'cache-control': 'no-store' }

const TARGETED: readonly (readonly [string, object])[] = [
  ['max-age=600', { targeted: true, maxAgeSeconds: 600 }],
  ['max-age=99999999999', { targeted: true, maxAgeSeconds: 2147483648 }],
  ['foobar, max-age=600', { targeted: true, maxAgeSeconds: 600 }],
  ['foobar', { targeted: true }],
  ['max-age=600;x=1, public', { targeted: true, maxAgeSeconds: 600, isPublic: true }],
  ['max-age=-1', { targeted: true, maxAgeSeconds: 0 }],
  ['private, no-cache', { targeted: true, isPrivate: true, noCache: true }],
  ['no-cache="a, b", private=c', { targeted: true, noCache: ['a', 'b'], isPrivate: ['c'] }],
  ['public=?0, max-age=1', { targeted: true, maxAgeSeconds: 1 }],
  ['max-age=1, max-age=5', { targeted: true, maxAgeSeconds: 5 }],
  [
    'stale-while-revalidate=2, stale-if-error=3',
    { targeted: true, staleWhileRevalidateSeconds: 2, staleIfErrorSeconds: 3 },
  ],
  // From here on the field is invalid, and Cache-Control speaks.
  ['', { targeted: false, noStore: true }],
  ['max-age=10000, &&&&&', { targeted: false, noStore: true }],
  ['max-age="10000"', { targeted: false, noStore: true }],
  ['max-age=10.5', { targeted: false, noStore: true }],
  ['max-age=10.0', { targeted: false, noStore: true }],
  ['max-age', { targeted: false, noStore: true }],
  ['max-age =100', { targeted: false, noStore: true }],
  ['max-age= 100', { targeted: false, noStore: true }],
  ['max-age=(1 2)', { targeted: false, noStore: true }],
  ['public=1', { targeted: false, noStore: true }],
  ['MaX-aGe=3600', { targeted: false, noStore: true }],
  ['max-age=1,', { targeted: false, noStore: true }],
]
for (const [value, expected] of TARGETED) {
  test(`CDN-Cache-Control "${value}" beside "no-store" gives ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(targeted({ ...cc, 'cdn-cache-control': value }), expected)
  })
}

test('several lines of a targeted field are one dictionary', () => {
  assert.deepEqual(targeted({ ...cc, 'cdn-cache-control': ['max-age=5', 'public'] }), {
    targeted: true,
    maxAgeSeconds: 5,
    isPublic: true,
  })
})

test('the first valid targeted field wins, and those before it are as if they were absent', () => {
  const fields = { ...cc, 'relais-cache-control': 'max-age=1', 'cdn-cache-control': 'max-age=2' }
  assert.equal(targeted(fields).maxAgeSeconds, 1)
  assert.equal(targeted({ ...fields, 'relais-cache-control': 'max-age=x y' }).maxAgeSeconds, 2)
  assert.equal(targeted(fields, ['cdn-cache-control']).maxAgeSeconds, 2)
  assert.equal(targeted(fields, []).noStore, true)
})
