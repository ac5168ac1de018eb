/** The roster as one node hears it: slow to change, and not fooled by its own deafness. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Expected, LiveRoster } from '../../src/siblings/live-roster.ts'
import type { SiblingState } from '../../src/siblings/sibling-state.ts'
import { testClock } from '../support/clock.ts'

function described(id: string): Expected {
  return { id, url: `http://${id}.example:8090`, zone: 'default', weight: 1, publicUrl: undefined }
}

function said(id: string, more: Partial<SiblingState> = {}): SiblingState {
  return {
    ...described(id),
    instance: 'one',
    cluster: 'relais',
    release: '0.1.0',
    state: 'active',
    isBeginning: false,
    digest: '0123456789abcdef',
    purges: {},
    figures: { inflight: 0, egressBps: 0, capacityBps: 1, elu: 0, missesPerSecond: 0 },
    ...more,
  }
}

function open(...named: readonly string[]) {
  const clock = testClock()
  const roster = new LiveRoster(described('a'), named.map(described), clock.now)
  roster.declare('active')
  const states = (): Readonly<Record<string, string>> =>
    Object.fromEntries(roster.members().map(({ id, state }) => [id, state]))
  /** So many seconds in which these are heard. */
  const seconds = (count: number, ...heard: readonly string[]): void => {
    for (let second = 0; second < count; second++) {
      clock.advance(1_000)
      for (const id of heard) roster.hear(said(id))
      roster.look(0)
    }
  }
  return { clock, roster, states, seconds }
}

test('health changes no digest: who is silent for a moment keeps its keys', () => {
  const { roster, states, seconds } = open('b', 'c')
  seconds(1, 'b', 'c')
  const digest = roster.digest()
  seconds(10, 'b')
  assert.deepEqual(states(), { a: 'active', b: 'active', c: 'suspect' })
  assert.equal(roster.digest(), digest)
  seconds(5, 'b')
  assert.equal(states()['c'], 'gone')
  assert.notEqual(roster.digest(), digest)
})

test('a node that stood still for a minute takes nobody for silent, whether it hears or looks first', () => {
  for (const isHeardFirst of [true, false]) {
    const { clock, roster, states, seconds } = open('b', 'c')
    seconds(1, 'b', 'c')
    clock.advance(60_000)
    if (isHeardFirst) roster.hear(said('b'))
    roster.look(0)
    assert.deepEqual(states(), { a: 'active', b: 'active', c: 'active' })
    seconds(3, 'b')
    assert.equal(states()['c'], 'suspect')
  }
})

test('a clock that is set back takes nobody for silent, and nobody for there for good', () => {
  const { clock, states, seconds } = open('b', 'c')
  seconds(1, 'b', 'c')
  clock.advance(-3_600_000)
  seconds(1, 'b')
  assert.deepEqual(states(), { a: 'active', b: 'active', c: 'active' })
  seconds(15, 'b')
  assert.equal(states()['c'], 'gone')
})

test('who listens hears of changes of state, not of load', () => {
  const { roster, seconds } = open('b')
  let changes = 0
  const stop = roster.onChange(() => changes++)
  seconds(5, 'b')
  assert.equal(changes, 1)
  roster.hear(
    said('b', { figures: { inflight: 1, egressBps: 1, capacityBps: 1, elu: 1, missesPerSecond: 1 } }),
  )
  assert.equal(changes, 1)
  assert.equal(roster.members()[1]?.load, 1)
  stop()
  seconds(20)
  assert.equal(changes, 1)
})

test('what a sibling says of itself counts for more than what a list says of it', () => {
  const { roster } = open('b')
  roster.hear(said('b', { zone: 'lyon', weight: 5 }))
  const [, member] = roster.members()
  assert.deepEqual([member?.zone, member?.weight], ['lyon', 5])
})

test('made-up names cannot fill the memory, and who is gone for an hour is forgotten unless it is named', () => {
  const { roster, seconds } = open('b')
  for (let index = 0; index < 1_000; index++) roster.hear(said(`n${index}`))
  assert.equal(roster.members().length, 257)
  assert.equal(roster.hear(said('late')), false)
  seconds(3_700)
  assert.deepEqual(
    roster.members().map(({ id }) => id),
    ['a', 'b'],
  )
  assert.equal(roster.hear(said('late')), true)
})

test('a node is new to itself only where somebody was there before it', () => {
  const alone = open('b')
  assert.equal(alone.roster.self.joinedAt, Number.NEGATIVE_INFINITY)
  const clock = testClock()
  const late = new LiveRoster(described('a'), [described('b')], clock.now)
  late.hear(said('b'))
  late.declare('active')
  assert.equal(late.self.joinedAt, clock.now())
})

test('who is beginning itself was not there before', () => {
  for (const [beginning, isNew] of [
    [[true, true], false],
    [[true, false], true],
  ] as const) {
    const clock = testClock()
    const roster = new LiveRoster(described('a'), ['b', 'c'].map(described), clock.now)
    for (const [index, isBeginning] of beginning.entries())
      roster.hear(said(index === 0 ? 'b' : 'c', { isBeginning }))
    roster.declare('active')
    assert.equal(roster.self.joinedAt > Number.NEGATIVE_INFINITY, isNew, `${beginning}`)
  }
})
