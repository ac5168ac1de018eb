/** A busy owner is relieved of a part of its keys, smoothly, and only while it is busier than the others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LoadBound } from '../../src/siblings/load-bound.ts'

function loads(busy: number, others: number, count = 4) {
  return Array.from({ length: count }, (_, index) => ({
    id: `node-${index + 1}`,
    weight: 1,
    load: index === 0 ? busy : others,
  }))
}

/** The mean of which is exactly this, whatever the busy one's load. */
function around(mean: number, busy: number) {
  return loads(busy, (4 * mean - busy) / 3)
}

test('nobody is relieved while loads are alike, however high they are', () => {
  const bound = new LoadBound()
  bound.update(loads(0.99, 0.95), 0)
  for (const { id } of loads(0, 0)) assert.equal(bound.shedOf(id), 0)
})

test('nobody is relieved in an idle cluster, however uneven it is', () => {
  const bound = new LoadBound()
  bound.update(loads(0.6, 0.01), 0)
  assert.equal(bound.shedOf('node-1'), 0)
})

test('above 1.25 times the mean an owner is relieved of more the busier it is', () => {
  for (const [busy, expected] of [
    [0.624, 0],
    [0.65, 0.1],
    [0.75, 0.5],
    [0.875, 1],
    [1, 1],
  ] as const) {
    const bound = new LoadBound()
    bound.update(around(0.5, busy), 0)
    assert.ok(Math.abs(bound.shedOf('node-1') - expected) < 1e-9, `${busy}: ${bound.shedOf('node-1')}`)
    assert.equal(bound.shedOf('node-2'), 0)
  }
})

test('the mean counts who is large for more', () => {
  const bound = new LoadBound()
  const small = { id: 'small', weight: 1, load: 0.9 }
  bound.update([small, { id: 'large', weight: 9, load: 0.9 }], 0)
  assert.equal(bound.shedOf('small'), 0)
  bound.update([small, { id: 'large', weight: 9, load: 0.1 }], 0)
  assert.equal(bound.shedOf('small'), 1)
})

test('what was shed stays shed until the owner is below 1.1 times the mean, then returns a tenth a second', () => {
  const bound = new LoadBound()
  bound.update(around(0.6, 0.9), 0)
  assert.ok(Math.abs(bound.shedOf('node-1') - 0.5) < 1e-9)
  for (let now = 1_000; now <= 60_000; now += 1_000) bound.update(around(0.6, 0.67), now)
  assert.ok(Math.abs(bound.shedOf('node-1') - 0.5) < 1e-9, 'between 1.1 and 1.25 nothing changes')
  bound.update(around(0.6, 0.65), 61_000)
  assert.ok(Math.abs(bound.shedOf('node-1') - 0.4) < 1e-9)
  for (let now = 62_000; now <= 66_000; now += 1_000) bound.update(around(0.6, 0.5), now)
  assert.equal(bound.shedOf('node-1'), 0)
})

test('relief settles: an owner of too much comes to rest near the bound, and does not swing', () => {
  const bound = new LoadBound()
  const demand = 1.6
  const loadOf = (): number => Math.min(1, demand * (1 - bound.shedOf('node-1')))
  const seen: number[] = []
  for (let second = 0; second < 120; second++) {
    const busy = loadOf()
    bound.update(loads(busy, 0.5 + (demand - busy) / 30), second * 1_000)
    if (second >= 60) seen.push(bound.shedOf('node-1'))
  }
  const swing = Math.max(...seen) - Math.min(...seen)
  assert.ok(swing <= 0.1 + 1e-9, `it swings by ${swing}`)
  assert.ok(
    Math.min(...seen) > 0.3 && Math.max(...seen) < 0.9,
    `${Math.min(...seen)} to ${Math.max(...seen)}`,
  )
})

test('who is not told of any more is forgotten', () => {
  const bound = new LoadBound()
  bound.update(around(0.5, 0.9), 0)
  bound.update(around(0.5, 0.9).slice(1), 1_000)
  assert.equal(bound.shedOf('node-1'), 0)
})
