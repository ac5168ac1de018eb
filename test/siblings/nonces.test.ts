/** Nonces are remembered for a bounded time, in bounded memory, and each is admitted once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Nonces, PROCESS_LENGTH } from '../../src/siblings/nonces.ts'
import fc from '../support/properties.ts'

const SPAN = 64

function open(): Nonces {
  return new Nonces({ forMs: 60_000, maxProcesses: 4, span: SPAN })
}

function nonce(process: string, number: number): string {
  return process.padEnd(PROCESS_LENGTH, '-') + number.toString(36)
}

test('a number of a process is admitted once, in whatever order they come', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(200), { maxLength: 300 }), (numbers) => {
      const nonces = open()
      const seen = new Set<number>()
      let newest = -1
      for (const number of numbers) {
        const isNew = !seen.has(number) && number > newest - SPAN
        assert.equal(nonces.admit(nonce('a', number), 0), isNew, `${number} after ${newest}`)
        if (isNew) seen.add(number)
        newest = Math.max(newest, number)
      }
    }),
  )
})

test('the numbers of one process say nothing of those of another', () => {
  const nonces = open()
  assert.equal(nonces.admit(nonce('a', 1), 0), true)
  assert.equal(nonces.admit(nonce('b', 1), 0), true)
  assert.equal(nonces.admit(nonce('a', 1), 0), false)
  assert.equal(nonces.admit(nonce('b', 1), 0), false)
})

test('a process is remembered for as long as was asked for after its last message, and then gives its place back', () => {
  const nonces = open()
  assert.equal(nonces.admit(nonce('a', 1), 0), true)
  assert.equal(nonces.admit(nonce('b', 1), 60_000), true)
  assert.equal(nonces.admit(nonce('a', 1), 60_000), false)
  assert.equal(nonces.admit(nonce('a', 1), 120_000), false)
  assert.equal(nonces.admit(nonce('c', 1), 120_001), true)
  assert.equal(nonces.size, 2)
})

test('no more processes are remembered than that, and it is the one silent for longest that is forgotten', () => {
  const nonces = open()
  for (let count = 0; count < 100; count++) {
    assert.equal(nonces.admit(nonce('heard', count), count), true)
    assert.equal(nonces.admit(nonce(`p${count}`, 0), count), true)
    assert.ok(nonces.size <= 4)
  }
  assert.equal(nonces.admit(nonce('heard', 50), 100), false)
  assert.equal(nonces.admit(nonce('p99', 0), 100), false)
})

test('what is no nonce is not admitted, and nothing throws', () => {
  const nonces = open()
  for (const value of ['', 'short', `${'a'.repeat(PROCESS_LENGTH)}-1`, nonce('a', 36 ** 10)])
    assert.equal(nonces.admit(value, 0), false)
  assert.equal(nonces.size, 0)
})
