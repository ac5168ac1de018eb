/** What a purge covers, in cache keys. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { variantKey } from '../../src/cache/key.ts'
import { addressOf, covers, dropCovered, scopeOf } from '../../src/cache/purges/purge-scope.ts'

const ROUTES = [
  { prefix: '/', base: 'http://a/' },
  { prefix: '/live/', base: 'http://b/x/' },
]
const keyOf = (target: string): string =>
  target.startsWith('/live/') ? `http://b/x/${target.slice(6)}` : `http://a/${target.slice(1)}`

test('a scope covers what its order names, and what belongs to that', () => {
  for (const [kind, value, covered, not] of [
    ['url', '/a.ts', ['http://a/a.ts', 'http://a/a.ts slice g 4'], ['http://a/a.ts?x', 'http://a/a.tsx']],
    [
      'url',
      '/live/m?_HLS_msn=4&x=1',
      ['http://b/x/m?x=1', 'http://b/x/m?_HLS_msn=7&_HLS_part=0&x=1'],
      ['http://b/x/m'],
    ],
    ['prefix', '/live/ch', ['http://b/x/ch1/1.ts', 'http://a/live/ch'], ['http://b/x/d']],
    ['prefix', '/li', ['http://b/x/anything', 'http://a/list'], ['http://a/x']],
    ['route', '/live/', ['http://b/x/1'], ['http://a/1']],
    ['all', undefined, ['http://a/1', 'http://b/x/2'], []],
  ] as const) {
    const order = { kind, values: value === undefined ? [] : [value], soft: false }
    const scope = scopeOf(order, ROUTES, keyOf)
    for (const key of covered) assert.ok(covers(scope, key, []), `${kind} ${value}: ${key}`)
    for (const key of not) assert.ok(!covers(scope, key, []), `${kind} ${value}: ${key}`)
  }
  const tagged = scopeOf({ kind: 'tag', values: ['x'], soft: false }, ROUTES, keyOf)
  assert.ok(covers(tagged, 'http://a/1', ['y', 'x']))
  assert.ok(!covers(tagged, 'http://a/x', ['y']))
})

test('the address of a slice, a variant or a reload is that of the whole', () => {
  assert.equal(addressOf('http://a/f?x=1 slice g 3'), 'http://a/f?x=1')
  assert.equal(addressOf(variantKey('http://a/m?x=1', { 'accept-language': 'fr' })), 'http://a/m?x=1')
  assert.equal(addressOf('http://a/m?_HLS_skip=YES'), 'http://a/m')
  assert.equal(addressOf('http://a/_HLS_msn=1'), 'http://a/_HLS_msn=1')
})

test('what is known of a variant or a slice is dropped with the address that was purged, and of others nothing', () => {
  const variant = variantKey('http://a/m', { 'accept-language': 'fr' })
  const kept = new Map(
    [variant, 'http://a/m', 'http://a/m slice g 4', 'http://a/m2', 'http://a/m?x'].map((key) => [key, 1]),
  )
  const scope = scopeOf({ kind: 'url', values: ['/m?_HLS_msn=4'], soft: false }, ROUTES, keyOf)
  assert.deepEqual(dropCovered(kept, scope), [variant, 'http://a/m', 'http://a/m slice g 4'])
  assert.deepEqual([...kept.keys()], ['http://a/m2', 'http://a/m?x'])
})
