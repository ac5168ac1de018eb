/** Of those in the ranking the ones are asked that are there, have room, and do not die together. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rank, type Words, wordsOf } from '../../src/siblings/rendezvous.ts'
import { type Member, memberOf } from '../../src/siblings/roster.ts'
import { fillersOf, formerOwnerOf, type Neighbourhood, parentsOf } from '../../src/siblings/succession.ts'

const NOW = 10_000_000
const KEYS: readonly Words[] = Array.from({ length: 2_000 }, (_, index) =>
  wordsOf(`http://o/seg-${index}.m4s`),
)

type Change = Partial<Pick<Member, 'url' | 'zone' | 'state' | 'load' | 'shed' | 'joinedAt'>>

/** a, b, c, d of one zone, on a host each, as a sees them. */
function cluster(changes: Readonly<Record<string, Change>> = {}, parentZone?: string): Neighbourhood {
  const ids = [...new Set(['a', 'b', 'c', 'd', ...Object.keys(changes)])]
  const members = ids.map((id) => memberOf({ id, url: `http://${id}.example:8090`, ...changes[id] }))
  const [self] = members
  assert.ok(self)
  return { self, members, parentZone }
}

function ids(members: readonly (Member | undefined)[]): readonly string[] {
  return members.map((member) => member?.id ?? 'nobody')
}

function rankingOf({ members }: Neighbourhood, key: Words): readonly string[] {
  return ids(rank(members, key))
}

test('the first two of the ranking fill, and this node is one of them where that is its turn', () => {
  const all = cluster()
  let own = 0
  for (const key of KEYS) {
    assert.deepEqual(ids(fillersOf(all, key, NOW)), rankingOf(all, key).slice(0, 2))
    if (fillersOf(all, key, NOW)[0] === all.self) own++
  }
  assert.ok(own > KEYS.length / 5 && own < KEYS.length / 3)
})

for (const state of ['suspect', 'draining', 'joining', 'gone'] as const) {
  test(`who is ${state} is passed over, and nobody else's keys move`, () => {
    const all = cluster({ b: { state } })
    for (const key of KEYS) {
      const expected = rankingOf(cluster(), key).filter((id) => id !== 'b')
      assert.deepEqual(ids(fillersOf(all, key, NOW)), expected.slice(0, 2))
    }
  })
}

test('with nobody else there this node fills alone', () => {
  const gone = { state: 'gone' } as const
  const alone = cluster({ b: gone, c: gone, d: { state: 'suspect' } })
  for (const key of KEYS.slice(0, 50)) assert.deepEqual(ids(fillersOf(alone, key, NOW)), ['a'])
  const joining = cluster({ a: { state: 'joining' }, b: gone, c: gone, d: gone })
  for (const key of KEYS.slice(0, 50)) assert.deepEqual(fillersOf(joining, key, NOW), [])
})

test('the second runs on another host than the first, where there is one', () => {
  const all = cluster({ a: { url: 'http://one:1' }, b: { url: 'http://one:2' }, c: { url: 'http://one:3' } })
  for (const key of KEYS) {
    const [first, second] = fillersOf(all, key, NOW)
    assert.equal(first?.id, rankingOf(all, key)[0])
    assert.notEqual(second?.host, first?.host)
  }
  const same = cluster(Object.fromEntries(['a', 'b', 'c', 'd'].map((id) => [id, { url: 'http://one:1' }])))
  for (const key of KEYS) assert.deepEqual(ids(fillersOf(same, key, NOW)), rankingOf(same, key).slice(0, 2))
})

test('owners are chosen within the zone', () => {
  const all = cluster({ c: { zone: 'lyon' }, d: { zone: 'lyon' } })
  for (const key of KEYS) assert.ok(fillersOf(all, key, NOW).every(({ zone }) => zone === 'default'))
  assert.deepEqual(parentsOf(all, KEYS[0] ?? assert.fail(), NOW), [])
})

test('the zone above is asked in its own ranking, and not when nobody in it is there', () => {
  const all = cluster({ c: { zone: 'core' }, d: { zone: 'core' } }, 'core')
  const first = KEYS.map((key) => parentsOf(all, key, NOW)[0]?.id)
  assert.deepEqual(
    first,
    KEYS.map((key) => rankingOf(all, key).find((id) => id === 'c' || id === 'd')),
  )
  const down = cluster({ c: { zone: 'core', state: 'gone' }, d: { zone: 'core', state: 'suspect' } }, 'core')
  for (const key of KEYS.slice(0, 50)) assert.deepEqual(parentsOf(down, key, NOW), [])
  const own = cluster({}, 'default')
  for (const key of KEYS.slice(0, 50))
    assert.deepEqual(parentsOf(own, key, NOW), [], 'nobody is above itself')
})

test('a busy owner is passed over for the part of its keys that it sheds, the same keys each time', () => {
  const all = cluster({ b: { load: 0.9, shed: 0.3 } })
  const owned = KEYS.filter((key) => rankingOf(all, key)[0] === 'b')
  const passed = owned.filter((key) => fillersOf(all, key, NOW)[0]?.id !== 'b')
  assert.ok(Math.abs(passed.length / owned.length - 0.3) < 0.07, `${passed.length} of ${owned.length}`)
  for (const key of passed) {
    assert.deepEqual(ids(fillersOf(all, key, NOW)), [rankingOf(all, key)[1], 'b'])
    assert.equal(fillersOf(cluster({ b: { load: 0.9, shed: 0.5 } }), key, NOW)[0]?.id, rankingOf(all, key)[1])
  }
})

test('a busy owner is not relieved by one that is as busy', () => {
  const busy = { load: 0.9, shed: 1 }
  const all = cluster({ a: busy, b: busy, c: busy, d: busy })
  for (const key of KEYS) assert.equal(fillersOf(all, key, NOW)[0]?.id, rankingOf(all, key)[0])
})

test('a new owner is asked for a tenth of its keys at first, and for all of them after a minute', () => {
  const shareAt = (ageMs: number): number => {
    const all = cluster({ b: { joinedAt: NOW - ageMs } })
    const owned = KEYS.filter((key) => rankingOf(all, key)[0] === 'b')
    return owned.filter((key) => fillersOf(all, key, NOW)[0]?.id === 'b').length / owned.length
  }
  assert.ok(Math.abs(shareAt(0) - 0.1) < 0.05)
  assert.ok(Math.abs(shareAt(30_000) - 0.55) < 0.07)
  assert.equal(shareAt(60_000), 1)
})

test('a new owner itself fills all of its keys: it may be new to itself alone', () => {
  const all = cluster({ a: { joinedAt: NOW } })
  for (const key of KEYS.filter((one) => rankingOf(all, one)[0] === 'a'))
    assert.equal(fillersOf(all, key, NOW)[0], all.self)
})

test('a new owner asks the previous one first, for ten minutes', () => {
  const young = cluster({ a: { joinedAt: NOW - 599_000 } })
  const old = cluster({ a: { joinedAt: NOW - 600_000 } })
  const owned = KEYS.filter((key) => rankingOf(young, key)[0] === 'a')
  for (const key of owned) {
    assert.equal(formerOwnerOf(young, key, NOW)?.id, rankingOf(young, key)[1])
    assert.equal(formerOwnerOf(old, key, NOW), undefined)
  }
})

test('of two new owners each asks the one who was there before both', () => {
  const joinedAt = NOW - 1_000
  const all = cluster({ a: { joinedAt }, b: { joinedAt } })
  for (const key of KEYS.filter((one) => rankingOf(all, one)[0] === 'a')) {
    assert.equal(
      formerOwnerOf(all, key, NOW)?.id,
      rankingOf(all, key).find((id) => id === 'c' || id === 'd'),
    )
  }
})

test('a stand-in asks the owner it stands in for, when that can be asked', () => {
  for (const [change, isAsked] of [
    [{ load: 0.9, shed: 1 }, true],
    [{ state: 'draining' }, true],
    [{ joinedAt: NOW }, true],
    [{ state: 'suspect' }, false],
    [{ state: 'gone' }, false],
  ] as const) {
    const all = cluster({ b: change })
    const stoodIn = KEYS.filter(
      (key) => rankingOf(all, key)[0] === 'b' && fillersOf(all, key, NOW)[0] === all.self,
    )
    assert.ok(stoodIn.length > 50)
    for (const key of stoodIn) assert.equal(formerOwnerOf(all, key, NOW)?.id, isAsked ? 'b' : undefined)
  }
})
