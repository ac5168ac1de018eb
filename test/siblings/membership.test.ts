/** A sibling is an owner after ten steady seconds, skipped after three silent ones, and gone after fifteen. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type DeclaredState,
  heard,
  passed,
  type Sight,
  shifted,
  unheard,
} from '../../src/siblings/membership.ts'

const START = 1_000_000

/** As a node that listens sees it: one word a second, at the seconds that `isHeard` says, and a look each second. */
function watch(
  sight: Sight,
  seconds: number,
  isHeard: (second: number) => boolean,
  declared: DeclaredState = 'active',
  from = START,
): { readonly sight: Sight; readonly states: readonly string[] } {
  const states: string[] = []
  let last = sight
  for (let second = 0; second < seconds; second++) {
    const now = from + second * 1_000
    last = isHeard(second) ? heard(last, declared, now) : passed(last, now)
    states.push(last.state)
  }
  return { sight: last, states }
}

const always = () => true
const never = () => false

test('who is found when this node begins is skipped until heard, and then an owner at once, as it was before', () => {
  const sight = unheard(true, START)
  assert.equal(sight.state, 'suspect')
  const now = heard(sight, 'active', START + 800)
  assert.equal(now.state, 'active')
  assert.equal(now.joinedAt, Number.NEGATIVE_INFINITY)
})

test('who was expected and is not heard in fifteen seconds is gone', () => {
  const { states } = watch(unheard(true, START), 17, never)
  assert.equal(states[14], 'suspect')
  assert.equal(states[15], 'gone')
})

test('who comes later owns nothing before it was heard for ten steady seconds', () => {
  const { states, sight } = watch(unheard(false, START), 12, always)
  assert.deepEqual(states.slice(0, 10), Array(10).fill('joining'))
  assert.equal(states[10], 'active')
  assert.equal(sight.joinedAt, START + 10_000)
})

test('who has not caught up with the purges owns nothing, however long it is heard', () => {
  const { states, sight } = watch(unheard(false, START), 60, always, 'joining')
  assert.deepEqual(new Set(states), new Set(['joining']))
  const later = watch(sight, 11, always, 'active', START + 60_000)
  assert.equal(later.states[9], 'joining')
  assert.equal(later.states[10], 'active')
})

test('a silence of three seconds is suspicious, and the first word ends it without a change of owner', () => {
  const before = heard(unheard(true, START), 'active', START)
  assert.equal(passed(before, START + 2_999).state, 'active')
  const suspect = passed(before, START + 3_000)
  assert.equal(suspect.state, 'suspect')
  const back = heard(suspect, 'active', START + 14_000)
  assert.equal(back.state, 'active')
  assert.equal(back.joinedAt, Number.NEGATIVE_INFINITY)
})

test('a silence of fifteen seconds is the end, also for one that was leaving', () => {
  for (const declared of ['active', 'draining'] as const) {
    const before = heard(unheard(true, START), declared, START)
    assert.equal(passed(before, START + 14_999).state, 'suspect')
    assert.equal(passed(before, START + 15_000).state, 'gone')
  }
})

test('a silence that nobody looked at counts as well', () => {
  const before = heard(unheard(true, START), 'active', START)
  assert.equal(heard(before, 'active', START + 20_000).state, 'joining')
})

test('one that comes and goes never becomes an owner, so no key moves', () => {
  const gone = passed(heard(unheard(true, START), 'active', START), START + 20_000)
  for (const [present, absent] of [
    [1, 4],
    [5, 5],
    [9, 3],
    [3, 15],
    [9, 30],
  ] as const) {
    const { states } = watch(
      gone,
      300,
      (second) => second % (present + absent) < present,
      'active',
      START + 20_000,
    )
    assert.ok(!states.includes('active'), `${present} s there, ${absent} s away: ${states.join(' ')}`)
  }
})

test('an owner that comes and goes for less than fifteen seconds keeps its place in the ranking', () => {
  const before = heard(unheard(true, START), 'active', START)
  const { states } = watch(before, 300, (second) => second % 14 === 0, 'active', START)
  assert.deepEqual(new Set(states), new Set(['active', 'suspect']))
})

test('who joins with a pause of less than three seconds is still steady', () => {
  const { states } = watch(unheard(false, START), 14, (second) => second % 3 !== 1)
  assert.equal(states.indexOf('active'), 11)
})

test('an owner that began anew keeps its keys, and is skipped until it has caught up', () => {
  const before = heard(unheard(true, START), 'active', START)
  const again = heard(before, 'joining', START + 2_000)
  assert.equal(again.state, 'suspect')
  assert.equal(heard(again, 'active', START + 4_000).state, 'active')
})

test('who says that it drains is no owner, and can change its mind', () => {
  const before = heard(unheard(true, START), 'active', START)
  const draining = heard(before, 'draining', START + 1_000)
  assert.equal(draining.state, 'draining')
  assert.equal(heard(draining, 'active', START + 2_000).state, 'active')
  assert.equal(heard(unheard(false, START), 'draining', START).state, 'joining')
})

test('who says that it is gone is gone at once, and has to be steady to come back', () => {
  const before = heard(unheard(true, START), 'active', START)
  const gone = heard(before, 'gone', START + 1_000)
  assert.equal(gone.state, 'gone')
  assert.equal(heard(gone, 'active', START + 2_000).state, 'joining')
})

test('while this node was deaf, or its clock was set, nobody was silent', () => {
  const before = heard(unheard(true, START), 'active', START)
  assert.equal(passed(shifted(before, 60_000), START + 61_000).state, 'active')
  assert.equal(passed(shifted(before, -3_600_000), START - 3_599_000).state, 'active')
  assert.equal(passed(shifted(before, -3_600_000), START - 3_597_000).state, 'suspect')
})
