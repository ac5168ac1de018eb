/** Purges as they are told from node to node: what is read, what is refused, and what they cover. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isBadPurge, MAX_PURGE_BYTES, type PurgeRule, parsePurgeRule } from '../../src/purge/purge-rule.ts'
import { tagsOf } from '../../src/purge/tags.ts'
import fc from '../support/properties.ts'

const RULE: PurgeRule = { sequence: 1, by: 'paris-1:k3', at: 5, kind: 'url', values: ['/a'], soft: false }

test('what is a rule survives JSON unchanged', () => {
  for (const rule of [
    RULE,
    { ...RULE, kind: 'all', values: [], soft: true },
    { ...RULE, kind: 'tag', values: ['film 1', 'x'] },
    { ...RULE, kind: 'stream', values: ['/é?x=%20'] },
  ])
    assert.deepEqual(parsePurgeRule(JSON.stringify(rule)), rule)
})

test('what is none is refused with what was expected and what came', () => {
  for (const [wrong, why] of [
    [{ sequence: 0 }, /^sequence: expected a whole number from 1, and 0 came$/],
    [{ sequence: 1.5 }, /^sequence/],
    [{ by: '' }, /^by: expected a name/],
    [{ by: 'a b' }, /^by/],
    [{ at: -1 }, /^at: expected milliseconds/],
    [{ kind: 'folder' }, /^kind: expected one of url, .*, and "folder" came$/],
    [{ values: [] }, /^values: expected from 1 to 1000, and 0 came$/],
    [{ values: '/a' }, /^values: expected a list/],
    [{ values: ['a'] }, /^values\[0\]: expected a path/],
    [{ values: ['/a', 7] }, /^values\[1\]: expected 1 to 8192 characters, and 7 came$/],
    [{ kind: 'all' }, /^values: expected none, and 1 came$/],
    [{ soft: 'no' }, /^soft: expected true or false, and "no" came$/],
    [{ more: 1 }, /^rule: expected only the keys/],
  ] as const) {
    const read = parsePurgeRule(JSON.stringify({ ...RULE, ...wrong }))
    assert.ok(isBadPurge(read), JSON.stringify(wrong))
    assert.match(read.bad, why)
  }
  for (const text of ['', '[]', 'null', '7', '{', `"${'x'.repeat(MAX_PURGE_BYTES)}"`])
    assert.ok(isBadPurge(parsePurgeRule(text)), text.slice(0, 10))
})

test('no text makes the reader throw, and what it takes is within the bounds', () => {
  const near = fc.record(
    {
      ...{ sequence: fc.jsonValue(), by: fc.jsonValue(), at: fc.jsonValue(), kind: fc.jsonValue() },
      ...{ values: fc.jsonValue(), soft: fc.jsonValue() },
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        near.map((value) => JSON.stringify({ ...RULE, ...value })),
      ),
      (text) => {
        const read = parsePurgeRule(text)
        if (!isBadPurge(read)) assert.deepEqual(parsePurgeRule(JSON.stringify(read)), read)
      },
    ),
  )
})

test('tags are what both fields name', () => {
  assert.deepEqual(tagsOf({ 'surrogate-key': 'a  b', 'cache-groups': '"c d", "a"' }), ['a', 'b', 'c d', 'a'])
  assert.deepEqual(tagsOf({ 'surrogate-key': ' ', 'cache-groups': 'broken "' }), [])
  assert.deepEqual(tagsOf({}), [])
})
