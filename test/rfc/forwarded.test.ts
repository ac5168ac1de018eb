/** For whom a request was forwarded, spelt as RFC 7239 wants it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardedElement, plainAddress } from '../../src/rfc/forwarded.ts'

const ELEMENTS: readonly (readonly [string, string | undefined, string])[] = [
  ['192.0.2.1', undefined, 'for=192.0.2.1;proto=http'],
  ['::ffff:192.0.2.1', 'cdn.example', 'for=192.0.2.1;proto=http;host=cdn.example'],
  ['2001:db8::1', 'cdn.example:8080', 'for="[2001:db8::1]";proto=http;host="cdn.example:8080"'],
  ['fe80::1%eth0', '', 'for="[fe80::1]";proto=http'],
  ['', 'a"b\\c', 'for=unknown;proto=http;host="a\\"b\\\\c"'],
]
for (const [address, host, expected] of ELEMENTS) {
  test(`a viewer at "${address}" who asks ${host} is ${expected}`, () => {
    assert.equal(forwardedElement(address, host, 'http'), expected)
  })
}

test('an IPv4 address over an IPv6 socket is told as IPv4, all others as they are', () => {
  assert.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(plainAddress('::ffff:c000:201'), '::ffff:c000:201')
  assert.equal(plainAddress('2001:db8::1'), '2001:db8::1')
})
