import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer } from '../../src/demo/answer.ts'
import { makeResource } from '../../src/demo/resource.ts'

const CHANGED_AT = Date.UTC(2026, 10, 23, 9, 0, 0) + 400
const CHANGED = 'Mon, 23 Nov 2026 09:00:00 GMT'
const resource = makeResource('a.m4s', new TextEncoder().encode('0123456789'), CHANGED_AT)

function get(fields: Record<string, string>) {
  const { status, fields: sent, body } = answer(resource, 'GET', fields)
  return { status, sent, text: new TextDecoder().decode(body) }
}

test('a plain request gets all of it, with both validators and no lifetime', () => {
  const { status, sent, text } = get({})
  assert.equal(status, 200)
  assert.equal(text, '0123456789')
  assert.equal(sent.etag, resource.etag)
  assert.equal(sent['last-modified'], CHANGED)
  assert.equal(sent['content-type'], 'video/iso.segment')
  assert.equal(sent['cache-control'], undefined)
})

test('a matching entity tag gets 304, in a list, weak or as a star', () => {
  for (const tag of [resource.etag, `"x", ${resource.etag}`, `W/${resource.etag}`, '*']) {
    const { status, text } = get({ 'if-none-match': tag })
    assert.equal(status, 304, tag)
    assert.equal(text, '')
  }
  assert.equal(get({ 'if-none-match': '"x"' }).status, 200)
})

test('a date gets 304 when nothing changed since, and counts only without an entity tag', () => {
  assert.equal(get({ 'if-modified-since': CHANGED }).status, 304)
  assert.equal(get({ 'if-modified-since': 'Mon, 23 Nov 2026 08:59:59 GMT' }).status, 200)
  assert.equal(get({ 'if-modified-since': 'yesterday' }).status, 200)
  assert.equal(get({ 'if-modified-since': CHANGED, 'if-none-match': '"x"' }).status, 200)
})

test('a single range within the body gets 206 with those bytes', () => {
  for (const [range, text, place] of [
    ['bytes=0-0', '0', '0-0'],
    ['bytes=3-5', '345', '3-5'],
    ['bytes=8-', '89', '8-9'],
    ['bytes=8-100', '89', '8-9'],
    ['bytes=-3', '789', '7-9'],
    ['bytes=-100', '0123456789', '0-9'],
    ['bytes=4-9007199254740991', '456789', '4-9'],
  ] as const) {
    const found = get({ range })
    assert.equal(found.status, 206, range)
    assert.equal(found.text, text, range)
    assert.equal(found.sent['content-range'], `bytes ${place}/10`)
    assert.equal(found.sent['content-length'], String(text.length))
  }
})

test('a range beyond the body gets 416 and its size', () => {
  for (const range of ['bytes=10-', 'bytes=10-20', 'bytes=-0', `bytes=${'9'.repeat(40)}-`]) {
    const { status, sent, text } = get({ range })
    assert.equal(status, 416, range)
    assert.equal(sent['content-range'], 'bytes */10')
    assert.equal(text, '')
  }
})

test('several ranges, other units and nonsense are ignored', () => {
  for (const range of ['bytes=0-1,3-4', 'items=0-1', 'bytes=5-3', 'bytes=-', 'bytes=a-b', 'bytes']) {
    assert.equal(get({ range }).status, 200, range)
  }
})

test('If-Range lets the range through only while the resource is the same', () => {
  const range = 'bytes=0-1'
  assert.equal(get({ range, 'if-range': resource.etag }).status, 206)
  assert.equal(get({ range, 'if-range': CHANGED }).status, 206)
  assert.equal(get({ range, 'if-range': `W/${resource.etag}` }).status, 200)
  assert.equal(get({ range, 'if-range': '"x"' }).status, 200)
})

test('a range on HEAD is ignored', () => {
  assert.equal(answer(resource, 'HEAD', { range: 'bytes=0-1' }).status, 200)
})
