/** Which targets are refused before anything acts on them, and how a target is read. */
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { RelaisError } from '../../src/errors.ts'
import { checkRequest, requestHead } from '../../src/http/request-head.ts'

function message(url: string, method = 'GET', headers: Record<string, string> = {}): IncomingMessage {
  const rawHeaders = Object.entries({ host: 'relais', ...headers }).flat()
  const all = { host: 'relais', ...headers }
  return { url, method, headers: all, rawHeaders, httpVersionMinor: 1 } as unknown as IncomingMessage
}

function faultOf(url: string, method = 'GET', headers: Record<string, string> = {}): string | undefined {
  const asked = message(url, method, headers)
  try {
    checkRequest(asked, requestHead(asked))
    return undefined
  } catch (error) {
    assert.ok(error instanceof RelaisError)
    return error.code
  }
}

test('a dot segment is refused however it is spelt', () => {
  for (const path of [
    '/..',
    '/a/..',
    '/a/../b',
    '/./a',
    '/a/.',
    '/%2e%2e/a',
    '/a/%2E./b',
    '/a/.%2e',
    '/a/..%2fb',
  ]) {
    assert.equal(faultOf(path), 'BAD_TARGET', path)
  }
  for (const path of ['/a%2f..%2fb', '/a\\..\\b', '/a%5c..%5cb', '/a/..?x=1', '/a/..#x']) {
    assert.equal(faultOf(path), 'BAD_TARGET', path)
  }
})

test('dots that are no segment of their own are names like others', () => {
  for (const path of [
    '/a..b',
    '/..a',
    '/a..',
    '/...',
    '/.well-known/x',
    '/a/.b/c',
    '/v1.2/x.m3u8',
    '/a%2eb',
  ]) {
    assert.equal(faultOf(path), undefined, path)
  }
})

test('a query may contain what a path may not', () => {
  for (const query of ['/a?b=/../c', '/a?b=..%2f', '/a?%00', '/a?http://x/'])
    assert.equal(faultOf(query), undefined, query)
})

test('NUL in a path is refused', () => {
  assert.equal(faultOf('/a%00.m3u8'), 'BAD_TARGET')
})

test('a target that is no absolute path is refused, but for OPTIONS of the server as a whole', () => {
  assert.equal(faultOf('*'), 'BAD_TARGET')
  assert.equal(faultOf('ftp://elsewhere.example/a'), 'BAD_TARGET')
  assert.equal(faultOf('elsewhere.example:80'), 'BAD_TARGET')
  assert.equal(faultOf('*', 'OPTIONS'), undefined)
})

test('GET and HEAD with a body are refused, an empty one is none', () => {
  assert.equal(faultOf('/a', 'GET', { 'content-length': '1' }), 'UNEXPECTED_BODY')
  assert.equal(faultOf('/a', 'HEAD', { 'transfer-encoding': 'chunked' }), 'UNEXPECTED_BODY')
  assert.equal(faultOf('/a', 'GET', { 'content-length': '0' }), undefined)
  assert.equal(faultOf('/a', 'POST', { 'content-length': '1' }), undefined)
})

test('the absolute form is read as the origin form, its query untouched', () => {
  for (const [target, expected] of [
    ['http://elsewhere.example/a?b=%41|"', '/a?b=%41|"'],
    ['HTTPS://elsewhere.example:8443/a//b', '/a//b'],
    ['http://elsewhere.example', '/'],
    ['http://elsewhere.example?b=1/2', '/?b=1/2'],
    ['/a?b', '/a?b'],
  ] as const) {
    assert.equal(requestHead(message(target)).target, expected)
  }
})
