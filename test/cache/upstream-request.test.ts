/** What of a viewer's request reaches the origin: all of its own when it passes, nothing of one alone when it is for all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditional, passedOn, shared } from '../../src/cache/upstream-request.ts'
import { requestOf, routeOf } from './support/route.ts'

const OF_ONE = {
  range: 'bytes=0-1',
  'if-range': '"1"',
  'if-none-match': '"1"',
  'if-match': '"1"',
  'if-modified-since': 'Wed, 01 Jan 2025 00:00:00 GMT',
  'if-unmodified-since': 'Wed, 01 Jan 2025 00:00:00 GMT',
  'cmcd-request': 'bl=100',
  'cmcd-object': 'br=1',
  'cmcd-session': 'sid="1"',
  'cmcd-status': 'bs',
  'x-playback-session-id': '1',
  'x-forwarded-for': '192.0.2.1',
  'x-real-ip': '192.0.2.1',
  forwarded: 'for=192.0.2.1',
  priority: 'u=1',
}

test('a fill for all sends nothing of one viewer alone', () => {
  const { fields } = shared(routeOf(), requestOf({ ...OF_ONE, 'user-agent': 'player' }), 'node')
  assert.deepEqual(fields, {
    'user-agent': 'player',
    'accept-encoding': 'identity',
    forwarded: 'for=_shared',
    via: '1.1 node',
    'cdn-loop': 'node',
  })
})

test('a HEAD passes without a range, which is for GET alone', () => {
  const { fields } = passedOn(routeOf(), { ...requestOf(OF_ONE), method: 'HEAD' }, 'node')
  assert.deepEqual([fields['range'], fields['if-range'], fields['if-match']], [undefined, undefined, '"1"'])
})

test('what passes is sent with all that the viewer said', () => {
  const { fields } = passedOn(routeOf(), requestOf({ ...OF_ONE, 'accept-encoding': 'zstd' }), 'node')
  assert.deepEqual(fields, { ...OF_ONE, 'accept-encoding': 'zstd', via: '1.1 node', 'cdn-loop': 'node' })
})

test('what passes says for whom, behind those who passed it before', () => {
  const asker = { forwarded: 'for=192.0.2.9;proto=http', address: '192.0.2.9', onInterim: () => undefined }
  const alone = passedOn(routeOf(), { ...requestOf(), asker }, 'node').fields
  assert.equal(alone['forwarded'], 'for=192.0.2.9;proto=http')
  assert.equal(alone['x-forwarded-for'], undefined)
  const behind = passedOn(routeOf(), { ...requestOf(OF_ONE), asker }, 'node').fields
  assert.equal(behind['forwarded'], 'for=192.0.2.1, for=192.0.2.9;proto=http')
  assert.equal(behind['x-forwarded-for'], '192.0.2.1, 192.0.2.9')
  assert.equal(shared(routeOf(), { ...requestOf(OF_ONE), asker }, 'node').fields['forwarded'], 'for=_shared')
})

test('what belongs to one connection or one message is sent by neither', () => {
  const request = requestOf({
    connection: 'keep-alive, x-hop',
    'keep-alive': 'timeout=5',
    'x-hop': '1',
    te: 'trailers',
    host: 'cdn.example',
    'content-length': '0',
    expect: '100-continue',
    upgrade: 'h2c',
  })
  for (const made of [shared(routeOf(), request, 'node'), passedOn(routeOf(), request, 'node')]) {
    const { via: _via, 'cdn-loop': _loop, 'accept-encoding': _encoding, ...rest } = made.fields
    const { forwarded: _forwarded, ...ofTheMessage } = rest
    assert.deepEqual(ofTheMessage, {})
  }
})

test('cookies go on or are dropped, as the route says', () => {
  const request = requestOf({ cookie: 'session=1' })
  assert.equal(shared(routeOf(), request, 'node').fields['cookie'], 'session=1')
  assert.equal(shared(routeOf({ cookies: 'drop' }), request, 'node').fields['cookie'], undefined)
  assert.equal(passedOn(routeOf({ cookies: 'drop' }), request, 'node').fields['cookie'], undefined)
})

test("a viewer's directives reach the origin of a fill only where they are honoured", () => {
  const request = requestOf({ 'cache-control': 'no-cache', pragma: 'no-cache' })
  assert.equal(shared(routeOf(), request, 'node').fields['cache-control'], undefined)
  assert.equal(shared(routeOf(), request, 'node').fields['pragma'], undefined)
  const honoured = shared(routeOf({ requestDirectives: 'honour' }), request, 'node')
  assert.equal(honoured.fields['cache-control'], 'no-cache')
})

test('the target is what follows the prefix, byte for byte', () => {
  const request = requestOf({}, 'GET', '/live/a%2Fb.ts?b=2&a=1')
  assert.equal(shared(routeOf({ prefix: '/live/' }), request, 'node').target, 'a%2Fb.ts?b=2&a=1')
  assert.equal(passedOn(routeOf(), request, 'node').target, 'live/a%2Fb.ts?b=2&a=1')
})

test('validators are added to what is sent for all', () => {
  const request = conditional(shared(routeOf(), requestOf(), 'node'), { 'if-none-match': '"1"' })
  assert.equal(request.fields['if-none-match'], '"1"')
  assert.equal(request.fields['accept-encoding'], 'identity')
})
