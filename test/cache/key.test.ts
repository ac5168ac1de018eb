/** One key for all who mean the same, and never one for two who do not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cacheKey } from '../../src/cache/key.ts'
import { routeOf } from './support/route.ts'

const ROUTE = routeOf({ ignoreQuery: new Set(['token', 'session']) })

test('the path is the key, byte for byte', () => {
  for (const path of ['/a%2Fb.ts', '/a/b.ts', '/%7euser.ts', '/~user.ts', '//a.ts', '/A.ts', '/a.ts;v=1'])
    assert.equal(cacheKey(ROUTE, path), path)
})

test('parameters are sorted by name, and those of one name keep their order', () => {
  assert.equal(cacheKey(ROUTE, '/a?c=3&a=1&b=2'), '/a?a=1&b=2&c=3')
  assert.equal(cacheKey(ROUTE, '/a?b=2&a=9&b=1'), '/a?a=9&b=2&b=1')
  assert.notEqual(cacheKey(ROUTE, '/a?b=2&b=1'), cacheKey(ROUTE, '/a?b=1&b=2'))
})

test('what speaks of the player or was named by the route is left out', () => {
  assert.equal(cacheKey(ROUTE, '/a?token=1&x=2&session=3&CMCD=br%3D1'), '/a?x=2')
  assert.equal(cacheKey(ROUTE, '/a?CMCD=bs&_HLS_primary_id=7&_DASH_throughput=1'), '/a')
})

test('a parameter that only looks like one of those counts', () => {
  for (const query of ['Token=1', 'cmcd=1', 'tokens=1', 'xtoken=1', 'a=token=1', '=token'])
    assert.equal(cacheKey(ROUTE, `/a?${query}`), `/a?${query}`)
})

test('a blocking reload asks for another thing than a plain one', () => {
  assert.notEqual(cacheKey(ROUTE, '/live.m3u8?_HLS_msn=7'), cacheKey(ROUTE, '/live.m3u8?_HLS_msn=8'))
  assert.notEqual(cacheKey(ROUTE, '/live.m3u8?_HLS_msn=7'), cacheKey(ROUTE, '/live.m3u8'))
  assert.equal(
    cacheKey(ROUTE, '/live.m3u8?_HLS_part=1&_HLS_msn=7'),
    cacheKey(ROUTE, '/live.m3u8?_HLS_msn=7&_HLS_part=1'),
  )
})

test('a name without a value, and an empty one, are parameters too', () => {
  assert.notEqual(cacheKey(ROUTE, '/a?x'), cacheKey(ROUTE, '/a?x='))
  assert.notEqual(cacheKey(ROUTE, '/a?x'), cacheKey(ROUTE, '/a'))
})
