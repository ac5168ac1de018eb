/** What ends at a connection, and the traces of a message's way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { appendCdnLoop, appendVia, endToEnd, loops, omitFields } from '../../src/rfc/connection.ts'

test('fields of this connection are not forwarded', () => {
  const kept = { accept: '*/*', 'x-foo': ['1', '2'] }
  const ended = {
    connection: ['Keep-Alive, X-Hop', 'X-Other,,'],
    'keep-alive': 'timeout=5',
    'proxy-connection': 'keep-alive',
    te: 'trailers',
    trailer: 'x',
    'transfer-encoding': 'chunked',
    upgrade: 'websocket',
    'x-hop': '1',
    'x-other': '1',
  }
  assert.deepEqual(endToEnd({ ...kept, ...ended }), kept)
  assert.deepEqual(endToEnd({ ...kept, connection: 'keep-alive' }), kept)
})

test('Connection cannot take away what is meant for everyone', () => {
  const fields = { 'cdn-loop': 'a', 'cache-control': 'no-store', via: '1.1 a', host: 'a' }
  assert.deepEqual(endToEnd({ ...fields, connection: 'CDN-Loop, Cache-Control, Via, Host, close' }), fields)
})

test('where nothing is taken away, nothing is copied', () => {
  const fields = { accept: '*/*' }
  assert.equal(endToEnd(fields), fields)
})

test('a field called __proto__ does not become a prototype', () => {
  const fields = JSON.parse('{"__proto__":["x"],"te":"1","a":"1"}')
  const kept = omitFields(fields, new Set(['te']))
  assert.equal(Object.getPrototypeOf(kept), Object.prototype)
  assert.deepEqual(kept, { a: '1' })
})

test('Via and CDN-Loop grow at their end', () => {
  assert.equal(appendVia({}, '1.1', 'paris-1'), '1.1 paris-1')
  assert.equal(appendVia({ via: ['1.0 a', '2 b'] }, '1.1', 'paris-1'), '1.0 a, 2 b, 1.1 paris-1')
  assert.equal(appendCdnLoop({}, 'paris-1'), 'paris-1')
  assert.equal(appendCdnLoop({ 'cdn-loop': 'a; v=1' }, 'edge.isp:80'), 'a; v=1, edge.isp:80')
})

test('a node name that no field can carry is written as one that can', () => {
  assert.equal(appendVia({}, '1.1', 'paris 1, é'), '1.1 paris-1---')
  assert.equal(appendCdnLoop({}, ''), '-')
  assert.equal(loops({ 'cdn-loop': appendCdnLoop({}, 'paris 1\r\n') }, 'paris 1\r\n'), true)
})

const LOOPS: readonly (readonly [string | readonly string[] | undefined, boolean])[] = [
  [undefined, false],
  ['', false],
  ['paris-1', true],
  ['PARIS-1', true],
  ['paris-10', false],
  ['xparis-1', false],
  ['other, paris-1; v=1, third', true],
  ['other; id=paris-1', false],
  [['other', ' paris-1 '], true],
  ['foo bar, ;;;, =, paris-1', true],
  // A quote that a viewer left open hides nothing, not even when a later member closes it.
  ['x; a=", paris-1', true],
  ['x; a=", paris-1, y; b="c"', true],
]
for (const [value, expected] of LOOPS) {
  test(`CDN-Loop ${JSON.stringify(value)} ${expected ? 'shows a loop' : 'shows no loop'} at paris-1`, () => {
    assert.equal(loops(value === undefined ? {} : { 'cdn-loop': value }, 'paris-1'), expected)
  })
}

test('whoever appended itself finds itself', () => {
  for (const before of ['a', '"', 'a; b="c', ',,,', 'a;b="\\']) {
    assert.equal(loops({ 'cdn-loop': appendCdnLoop({ 'cdn-loop': before }, 'paris-1') }, 'paris-1'), true)
  }
})
