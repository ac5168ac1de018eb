/** Nonces are remembered for a bounded time, and never more than a bounded number of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Nonces } from '../../src/siblings/nonces.ts'

test('a nonce is refused for at least as long as was asked for, and forgotten after twice that', () => {
  const nonces = new Nonces({ forMs: 60_000, max: 1_000 })
  assert.equal(nonces.admit('a', 0), true)
  for (const now of [1, 30_000, 59_999]) assert.equal(nonces.admit('a', now), false)
  assert.equal(nonces.admit('b', 59_999), true)
  for (const now of [60_001, 119_998]) assert.equal(nonces.admit('b', now), false)
  assert.equal(nonces.admit('a', 240_000), true)
})

test('after a long silence nothing old is left', () => {
  const nonces = new Nonces({ forMs: 60_000, max: 1_000 })
  for (let count = 0; count < 400; count++) nonces.admit(`n${count}`, 0)
  nonces.admit('later', 1_000_000)
  assert.equal(nonces.size, 1)
})

test('no more than the bound are held, and the newest half of them is always known', () => {
  const nonces = new Nonces({ forMs: 60_000, max: 1_000 })
  for (let count = 0; count < 10_000; count++) {
    assert.equal(nonces.admit(`n${count}`, 0), true)
    assert.ok(nonces.size <= 1_000, `${nonces.size} are held`)
    if (count >= 500) assert.equal(nonces.admit(`n${count - 499}`, 0), false)
  }
})
