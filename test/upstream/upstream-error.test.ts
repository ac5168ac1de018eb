/** What went wrong on the road is told in the words of RFC 9209. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errors } from 'undici'
import { RelaisError } from '../../src/errors.ts'
import { upstreamError } from '../../src/upstream/upstream-error.ts'

function failure(code: string): Error {
  return Object.assign(new Error(`it failed: ${code}`), { code })
}

for (const [code, name] of [
  ['ENOTFOUND', 'DNS_ERROR'],
  ['EAI_AGAIN', 'DNS_TIMEOUT'],
  ['ECONNREFUSED', 'CONNECTION_REFUSED'],
  ['ECONNRESET', 'CONNECTION_TERMINATED'],
  ['EPIPE', 'CONNECTION_TERMINATED'],
  ['ETIMEDOUT', 'CONNECTION_TIMEOUT'],
  ['EHOSTUNREACH', 'UNREACHABLE'],
  ['ENETUNREACH', 'UNREACHABLE'],
  ['CERT_HAS_EXPIRED', 'TLS_CERTIFICATE'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'TLS_CERTIFICATE'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'TLS_ERROR'],
  ['what nobody has heard of', 'CONNECTION_TERMINATED'],
] as const) {
  test(`${code} is ${name}`, () => {
    const error = upstreamError(failure(code), 'origin:80', 'head')
    assert.equal(error.code, name)
    assert.equal(error.nextHop, 'origin:80')
    assert.match(error.message, /it failed/)
  })
}

for (const [error, name] of [
  [new errors.ConnectTimeoutError('late'), 'CONNECTION_TIMEOUT'],
  [new errors.HeadersTimeoutError('late'), 'RESPONSE_TIMEOUT'],
  [new errors.BodyTimeoutError('late'), 'READ_TIMEOUT'],
  [new errors.HeadersOverflowError('large'), 'RESPONSE_HEAD_TOO_LARGE'],
  [new errors.ResponseContentLengthMismatchError('contradictory'), 'RESPONSE_PROTOCOL'],
  [new errors.SocketError('bad upgrade'), 'RESPONSE_PROTOCOL'],
  [new errors.SocketError('closed'), 'CONNECTION_TERMINATED'],
  [new errors.HTTPParserError('garbage'), 'RESPONSE_PROTOCOL'],
] as const) {
  test(`undici's ${error.name} is ${name}`, () => {
    assert.equal(upstreamError(error, 'origin:80', 'head').code, name)
  })
}

test('a connection that ends in the middle of a body leaves it incomplete', () => {
  assert.equal(upstreamError(failure('ECONNRESET'), 'origin:80', 'body').code, 'RESPONSE_INCOMPLETE')
  assert.equal(
    upstreamError(new errors.SocketError('closed'), 'origin:80', 'body').code,
    'RESPONSE_INCOMPLETE',
  )
})

test('a length that is wrong once the head has come leaves the body incomplete', () => {
  const short = new errors.ResponseContentLengthMismatchError('short')
  assert.equal(upstreamError(short, 'origin:80', 'body').code, 'RESPONSE_INCOMPLETE')
})

test('of several attempts the first one speaks', () => {
  const attempts = new AggregateError([failure('ECONNREFUSED'), failure('ENETUNREACH')])
  assert.equal(upstreamError(attempts, 'origin:80', 'head').code, 'CONNECTION_REFUSED')
})

test('what is already told stays what it is', () => {
  const error = new RelaisError('BAD_MANIFEST')
  assert.equal(upstreamError(error, 'origin:80', 'body'), error)
})

test('what is no error at all is told too', () => {
  assert.match(upstreamError('a string', 'origin:80', 'head').message, /a string/)
})
