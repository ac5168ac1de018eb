/** A stream with long addresses is purged by rules that every message between nodes can carry. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRules, isSayable } from '../../src/cache/purges/dealt-addresses.ts'
import { MAX_PURGE_BYTES, MAX_PURGE_VALUE } from '../../src/purge/purge-rule.ts'

test('every address is in one rule, in its order, and no rule is longer than a message can carry', () => {
  const long = Array.from({ length: 700 }, (_, index) => `/${index}?${'"'.repeat(MAX_PURGE_VALUE - 10)}`)
  const short = Array.from({ length: 1_201 }, (_, index) => `/${index}.m4s`)
  for (const targets of [long, short, ['/one'], []]) {
    const rules = [...inRules(targets)]
    assert.deepEqual(rules.flat(), targets)
    for (const values of rules) {
      assert.ok(values.length >= 1 && values.length <= 500)
      assert.ok(Buffer.byteLength(JSON.stringify(values)) < MAX_PURGE_BYTES)
    }
  }
  assert.equal([...inRules(short)].length, 3)
})

test('an address that siblings would refuse is told to none of them', () => {
  assert.equal(isSayable(`/${'a'.repeat(MAX_PURGE_VALUE - 1)}`), true)
  assert.equal(isSayable(`/${'a'.repeat(MAX_PURGE_VALUE)}`), false)
  assert.equal(isSayable('/a b'), false)
})
