/** Rendezvous hashing spreads keys as the weights say, and moves none that need not move. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fractionOf, rank, type Words, wordsOf } from '../../src/siblings/rendezvous.ts'
import { digestOf, type Member, memberOf } from '../../src/siblings/roster.ts'
import fc from '../support/properties.ts'

const KEYS: readonly Words[] = realisticKeys(30_000).map(wordsOf)

function realisticKeys(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const channel = index % 20
    const rendition = Math.floor(index / 20) % 5
    return `http://origin.example:9000/live/ch${channel}/r${rendition}/seg_${1_700_000 + Math.floor(index / 100)}.m4s`
  })
}

function members(count: number): readonly Member[] {
  return Array.from({ length: count }, (_, index) => member(`node-${index + 1}`))
}

function member(id: string, weight = 1): Member {
  return memberOf({ id, url: `http://${id}.example:8090`, weight })
}

function shares(all: readonly Member[], keys = KEYS): ReadonlyMap<string, number> {
  const counts = new Map(all.map(({ id }) => [id, 0]))
  for (const key of keys) {
    const owner = rank(all, key)[0]?.id ?? ''
    counts.set(owner, (counts.get(owner) ?? 0) + 1)
  }
  return counts
}

for (const count of [2, 3, 5, 8]) {
  test(`${count} equal nodes own equal shares: none has 8 % more than the mean`, () => {
    const peak = Math.max(...shares(members(count)).values())
    const ratio = peak / (KEYS.length / count)
    assert.ok(ratio < 1.08, `peak/mean is ${ratio.toFixed(3)}`)
  })
}

test('shares are in proportion to the weights', () => {
  const all = [member('one', 1), member('two', 1), member('four', 4), member('half', 0.5)]
  const total = 6.5
  for (const [id, count] of shares(all)) {
    const weight = all.find((one) => one.id === id)?.weight ?? 0
    const expected = (KEYS.length * weight) / total
    assert.ok(
      Math.abs(count / expected - 1) < 0.06,
      `${id} owns ${count}, ${expected.toFixed(0)} were expected`,
    )
  }
})

const nodeIds = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9._-]{0,12}$/), { minLength: 2, maxLength: 12 })
const weights = fc.array(fc.double({ min: 0.05, max: 50, noNaN: true }), { minLength: 12, maxLength: 12 })

test('who joins takes keys from others for itself alone, and the runner-up of each is its previous owner', () => {
  fc.assert(
    fc.property(nodeIds, weights, (ids, written) => {
      const all = ids.map((id, index) => member(id, written[index]))
      const before = all.slice(1)
      const newcomer = all[0]?.id
      for (const key of KEYS.slice(0, 300)) {
        const [was, [is, second]] = [rank(before, key), rank(all, key)]
        if (is?.id === newcomer) assert.equal(second?.id, was[0]?.id)
        else assert.equal(is?.id, was[0]?.id)
      }
    }),
  )
})

test('who leaves takes its own keys along only, and each goes to its runner-up', () => {
  fc.assert(
    fc.property(nodeIds, weights, (ids, written) => {
      const all = ids.map((id, index) => member(id, written[index]))
      const [left, ...after] = all
      for (const key of KEYS.slice(0, 300)) {
        const [[owner, second], is] = [rank(all, key), rank(after, key)[0]]
        assert.equal(is?.id, owner?.id === left?.id ? second?.id : owner?.id)
      }
    }),
  )
})

test('a ninth node takes a ninth of the keys', () => {
  const moved = shares(members(9)).get('node-9') ?? 0
  assert.ok(Math.abs(moved / (KEYS.length / 9) - 1) < 0.08, `${moved} keys moved`)
})

test('the order of the roster decides nothing', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([...members(8)], { minLength: 8 }), fc.string(), (shuffled, key) => {
      assert.deepEqual(
        rank(shuffled, wordsOf(key)).map(({ id }) => id),
        rank(members(8), wordsOf(key)).map(({ id }) => id),
      )
    }),
  )
})

test('this release chooses what the first one with this algorithm chose', () => {
  const all = [member('paris-1'), member('paris-2', 2), member('paris-3')]
  const keys = ['http://o/a.m4s', 'http://o/b.m4s', 'http://o/c.m4s', 'http://o/d.m3u8', 'http://o/e?x=1']
  const owners = keys.map((key) =>
    rank(all, wordsOf(key))
      .map(({ id }) => id.slice(-1))
      .join(''),
  )
  assert.deepEqual(owners, ['132', '231', '321', '213', '213'])
})

test('fractions of keys are even, and independent of the owner and of other salts', () => {
  const below = (keys: readonly Words[], salt: number) =>
    keys.filter((key) => fractionOf(key, salt) < 0.3).length / keys.length
  assert.ok(Math.abs(below(KEYS, 1) - 0.3) < 0.015)
  const owned = KEYS.filter((key) => rank(members(4), key)[0]?.id === 'node-1')
  assert.ok(Math.abs(below(owned, 1) - 0.3) < 0.03)
  const chosen = KEYS.filter((key) => fractionOf(key, 1) < 0.3)
  assert.ok(Math.abs(below(chosen, 2) - 0.3) < 0.03)
})

test('rosters with the same ids, zones and weights have one digest, whatever their order and health', () => {
  const all = members(4)
  assert.match(digestOf(all), /^[0-9a-f]{16}$/)
  assert.equal(digestOf([...all].reverse()), digestOf(all))
  assert.equal(digestOf(all.map((one) => ({ ...one, load: 0.9, state: 'suspect' as const }))), digestOf(all))
  assert.notEqual(digestOf(members(3)), digestOf(all))
  assert.notEqual(digestOf(all.map((one) => ({ ...one, weight: 2 }))), digestOf(all))
  assert.notEqual(digestOf(all.map((one) => ({ ...one, zone: 'other' }))), digestOf(all))
  const gone = all.map((one) => (one.id === 'node-4' ? { ...one, state: 'gone' as const } : one))
  assert.equal(digestOf(gone), digestOf(members(3)))
})
