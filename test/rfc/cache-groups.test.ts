/** Which groups a response names (RFC 9875): a list of strings, or nothing at all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { groupsIn } from '../../src/rfc/cache-groups.ts'
import fc from '../support/properties.ts'

const FIELDS: readonly (readonly [string, string | readonly string[] | undefined, readonly string[]])[] = [
  ['absent', undefined, []],
  ['one', '"a"', ['a']],
  ['several, on two lines', ['"a", "b"', '"c"'], ['a', 'b', 'c']],
  ['unknown parameters', '"a";x=1, "b";y', ['a', 'b']],
  ['names are opaque, and their case counts', '"A", "a b", ""', ['A', 'a b', '']],
  ['a token among them spoils all', '"a", b', []],
  ['an inner list among them spoils all', '"a", ("b")', []],
  ['no list at all', '"a', []],
  ['empty', '', []],
]
for (const [what, value, expected] of FIELDS) {
  test(`Cache-Groups, ${what}: ${expected.length} groups`, () => {
    assert.deepEqual(groupsIn({ 'cache-groups': value }, 'cache-groups'), expected)
    assert.deepEqual(groupsIn({ 'cache-groups': value }, 'cache-group-invalidation'), [])
  })
}

test('as many groups as a head can hold are read, of any length', () => {
  const many = Array.from({ length: 4_000 }, (_, index) => `group-${index}`)
  const value = many.map((group) => `"${group}"`).join(', ')
  assert.deepEqual(groupsIn({ 'cache-groups': value }, 'cache-groups'), many)
})

test('no value makes it throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(fc.string())), (value) => {
      for (const group of groupsIn({ 'cache-groups': value }, 'cache-groups'))
        assert.equal(typeof group, 'string')
    }),
  )
})
