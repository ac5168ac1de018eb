/** Whoever missed purges gets exactly those from anyone who has them, or learns that it cannot. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PurgeRule } from '../../src/purge/purge-rule.ts'
import { type Positions, PurgeLog, type PurgeLogBounds } from '../../src/siblings/purge-log.ts'
import fc from '../support/properties.ts'

const HOUR = 3_600_000

function rule(by: string, sequence: number): PurgeRule {
  return { by, sequence, at: sequence, kind: 'url', values: [`/${by}/${sequence}.ts`], soft: false }
}

function rules(by: string, from: number, to: number): readonly PurgeRule[] {
  return Array.from({ length: to - from + 1 }, (_, index) => rule(by, from + index))
}

function log(bounds: Partial<PurgeLogBounds> = {}): PurgeLog {
  return new PurgeLog({ maxBytes: 1_000_000, maxAgeMs: 72 * HOUR, ...bounds })
}

const NO_FLOORS = { floors: {} }

test('what is told twice is news once', () => {
  const one = log()
  assert.deepEqual(one.take({ ...NO_FLOORS, rules: rules('a', 1, 3) }, 0).rules, rules('a', 1, 3))
  assert.deepEqual(one.take({ ...NO_FLOORS, rules: rules('a', 2, 5) }, 0).rules, rules('a', 4, 5))
  assert.deepEqual(one.positions(), { a: 5 })
})

test('a rule that leaves a hole is not taken before the hole is filled', () => {
  const one = log()
  assert.deepEqual(one.take({ ...NO_FLOORS, rules: [rule('a', 2)] }, 0), { rules: [], gaps: {} })
  assert.deepEqual(one.positions(), {})
  assert.equal(one.take({ ...NO_FLOORS, rules: rules('a', 1, 2) }, 0).rules.length, 2)
})

test('who is behind gets what it lacks, of all issuers, and nothing else', () => {
  const one = log()
  one.take({ ...NO_FLOORS, rules: [...rules('a', 1, 5), ...rules('b', 1, 3)] }, 0)
  assert.equal(one.isAhead({ a: 4, b: 3 }), true)
  assert.deepEqual(one.since({ a: 4, b: 3 }, 1e6), { floors: {}, rules: [rule('a', 5)] })
  assert.deepEqual(one.since({ a: 5 }, 1e6).rules, rules('b', 1, 3))
  assert.equal(one.isAhead({ a: 9, b: 3, c: 1 }), false)
  assert.deepEqual(one.since({ a: 9, b: 3, c: 1 }, 1e6), { floors: {}, rules: [] })
})

test('much is told in pieces, each with one rule at least', () => {
  const one = log()
  one.take({ ...NO_FLOORS, rules: [...rules('a', 1, 30), ...rules('b', 1, 30)] }, 0)
  for (const maxBytes of [1, 500]) {
    const other = log()
    let pieces = 0
    while (one.isAhead(other.positions())) {
      const batch = one.since(other.positions(), maxBytes)
      assert.ok(JSON.stringify(batch.rules).length < maxBytes + 200)
      other.take(batch, 0)
      pieces++
    }
    assert.equal(other.size, 60)
    assert.ok(pieces > 5, `${pieces} pieces`)
  }
})

test('whoever lacks what is no longer held learns that there is a gap, and goes on behind it', () => {
  const one = log()
  one.take({ ...NO_FLOORS, rules: rules('a', 1, 10) }, 0)
  one.trim(72 * HOUR)
  one.take({ ...NO_FLOORS, rules: rules('a', 11, 12) }, 72 * HOUR)
  assert.deepEqual(
    [...one.rules()].map((entry) => entry.rule.sequence),
    [11, 12],
  )

  const behind = log()
  behind.take({ ...NO_FLOORS, rules: rules('a', 1, 9) }, 0)
  assert.deepEqual(behind.take(one.since(behind.positions(), 1e6), 1), {
    rules: rules('a', 11, 12),
    gaps: { a: 10 },
  })
  assert.deepEqual(behind.positions(), { a: 12 })
  assert.deepEqual(behind.floors(), { a: 10 })

  const upToDate = log()
  upToDate.take({ ...NO_FLOORS, rules: rules('a', 1, 10) }, 0)
  assert.deepEqual(upToDate.take(one.since(upToDate.positions(), 1e6), 1).gaps, {})
  assert.deepEqual(upToDate.positions(), { a: 12 })
})

test('a gap is passed on: who learned of it holds no more than it has', () => {
  const middle = log()
  middle.take({ floors: { a: 10 }, rules: rules('a', 11, 12) }, 0)
  assert.deepEqual(log().take(middle.since({}, 1e6), 0).gaps, { a: 10 })
})

test('what is held never exceeds its bound, and the oldest goes first', () => {
  const one = log({ maxBytes: 10_000 })
  for (let sequence = 1; sequence <= 2_000; sequence++) {
    one.take(
      { ...NO_FLOORS, rules: [rule(sequence % 2 === 0 ? 'a' : 'b', Math.ceil(sequence / 2))] },
      sequence,
    )
    assert.ok(one.bytes <= 10_000)
  }
  assert.deepEqual(one.positions(), { a: 1_000, b: 1_000 })
  const held = [...one.rules()].map(({ takenAt }) => takenAt)
  assert.equal(Math.max(...held), 2_000)
  assert.ok(held.length > 50, `${held.length} are held`)
})

test('issuers that have nothing held any more are forgotten beyond a thousand, the longest silent first', () => {
  const one = log()
  for (let life = 0; life < 1_500; life++) one.take({ ...NO_FLOORS, rules: [rule(`a:${life}`, 1)] }, life)
  one.trim(100 * HOUR)
  assert.equal(Object.keys(one.positions()).length, 1_000)
  assert.equal(one.positionOf('a:499'), 0)
  assert.equal(one.positionOf('a:500'), 1)
})

test('however nodes tell each other, all of them get all rules once and in the order of each issuer', () => {
  const step = fc.record({
    kind: fc.constantFrom('issue', 'tell', 'tell', 'tell', 'again'),
    from: fc.nat(3),
    to: fc.nat(3),
    maxBytes: fc.constantFrom(1, 300, 1e6),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const nodes = Array.from({ length: 4 }, (_, index) => ({
        id: `n${index}`,
        log: log(),
        seen: [] as string[],
      }))
      const told = (from: number, to: number, maxBytes: number, positions?: Positions): void => {
        const [one, other] = [nodes[from], nodes[to]]
        assert.ok(one && other)
        const batch = one.log.since(positions ?? other.log.positions(), maxBytes)
        for (const news of other.log.take(batch, 0).rules) other.seen.push(`${news.by} ${news.sequence}`)
      }
      for (const { kind, from, to, maxBytes } of steps) {
        const node = nodes[from]
        assert.ok(node)
        if (kind === 'tell') told(from, to, maxBytes)
        else if (kind === 'again') told(from, to, maxBytes, {})
        else {
          const next = rule(node.id, node.log.positionOf(node.id) + 1)
          node.log.take({ floors: {}, rules: [next] }, 0)
          node.seen.push(`${next.by} ${next.sequence}`)
        }
      }
      for (let round = 0; round < 4; round++)
        for (const from of nodes.keys()) for (const to of nodes.keys()) told(from, to, 1e6)
      const [first] = nodes
      for (const { log: one, seen } of nodes) {
        assert.deepEqual(one.positions(), first?.log.positions() ?? {})
        assert.equal(new Set(seen).size, seen.length)
        assert.equal(seen.length, one.size)
      }
    }),
  )
})
