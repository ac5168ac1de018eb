/** Who may look in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Access } from '../../src/ops/access.ts'

const TOKEN = 'a-token-of-some-length'

test('by default loopback alone is trusted, in every spelling that a socket gives', () => {
  const access = new Access({ trusted: ['127.0.0.0/8', '::1/128'], token: null })
  for (const address of ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1']) {
    assert.equal(access.allows(address, undefined), true, address)
  }
  for (const address of ['10.0.0.1', '192.168.1.1', '128.0.0.1', '::2', 'fe80::1', '::ffff:10.0.0.1']) {
    assert.equal(access.allows(address, undefined), false, address)
  }
})

test('blocks and single addresses are trusted to the bit', () => {
  const access = new Access({
    trusted: ['10.20.0.0/30', '192.0.2.7', '2001:db8::/33', '2001:db8:ffff::1'],
    token: null,
  })
  for (const address of [
    '10.20.0.3',
    '::ffff:10.20.0.0',
    '192.0.2.7',
    '2001:db8:7fff::9',
    '2001:db8:ffff::1',
  ]) {
    assert.equal(access.allows(address, undefined), true, address)
  }
  for (const address of ['10.20.0.4', '192.0.2.8', '2001:db8:8000::1', '2001:db8:ffff::2']) {
    assert.equal(access.allows(address, undefined), false, address)
  }
})

test('a link-local address is compared without its zone', () => {
  const access = new Access({ trusted: ['fe80::/10'], token: null })
  assert.equal(access.allows('fe80::1%eth0', undefined), true)
})

test('a connection without an address, or with one that is none, is not trusted', () => {
  const access = new Access({ trusted: ['0.0.0.0/0', '::/0'], token: null })
  assert.equal(access.allows(undefined, undefined), false)
  assert.equal(access.allows('', undefined), false)
  assert.equal(access.allows('nonsense', undefined), false)
})

test('the token is as good as an address, in its own form only', () => {
  const access = new Access({ trusted: [], token: TOKEN })
  assert.equal(access.allows('10.0.0.1', `Bearer ${TOKEN}`), true)
  assert.equal(access.allows('10.0.0.1', `bearer ${TOKEN}`), true)
  for (const value of [
    undefined,
    '',
    TOKEN,
    `Basic ${TOKEN}`,
    `Bearer ${TOKEN}x`,
    `Bearer  ${TOKEN}`,
    'Bearer ',
  ]) {
    assert.equal(access.allows('10.0.0.1', value), false, value)
  }
})

test('without a token none is right', () => {
  const access = new Access({ trusted: [], token: null })
  for (const value of ['Bearer null', 'Bearer ', 'Bearer undefined'])
    assert.equal(access.allows('10.0.0.1', value), false)
})
