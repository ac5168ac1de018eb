/** What siblings say of the purges that they applied between two beats. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { AppliedNewsDesk } from '../../src/siblings/applied-news.ts'
import type { Positions } from '../../src/siblings/purge-log.ts'
import type { SiblingState } from '../../src/siblings/sibling-state.ts'
import { until } from '../support/barrier.ts'

function desk(t: TestContext) {
  const positions: Record<string, number> = {}
  const told: Positions[] = []
  const made = new AppliedNewsDesk({
    issuer: 'own:1',
    positions: () => positions,
    tell: (news) => told.push(news),
  })
  t.after(() => made.close())
  return { desk: made, positions, told }
}

function state(id: string, instance: string, purges: Positions): SiblingState {
  const load = { inflight: 0, egressBps: 0, capacityBps: 1, elu: 0, missesPerSecond: 0 }
  const at = { cluster: 'relais', release: '1', url: 'http://127.0.0.1:1', publicUrl: undefined }
  const ranked = {
    zone: 'default',
    weight: 1,
    state: 'active',
    isBeginning: false,
    digest: '0123456789abcdef',
  } as const
  return { id, instance, ...at, ...ranked, purges, figures: load }
}

test('the first purge that was applied is told at once, and those that follow it together', async (t) => {
  const { desk: own, positions, told } = desk(t)
  positions['a:1'] = 1
  own.applied('a:1')
  assert.deepEqual(told, [{ 'a:1': 1 }])
  for (let sequence = 2; sequence <= 9; sequence++) {
    positions['a:1'] = sequence
    positions['b:1'] = sequence
    own.applied('a:1')
    own.applied('b:1')
  }
  assert.equal(told.length, 1)
  await until(() => told.length > 1, 'the others are told')
  assert.deepEqual(told.slice(1), [{ 'a:1': 9, 'b:1': 9 }])
})

test('nobody is told of purges that this node gave out itself', (t) => {
  const { desk: own, told } = desk(t)
  own.applied('own:1')
  assert.deepEqual(told, [])
})

test('news of a sibling is added to what its state said, and takes nothing back', (t) => {
  const { desk: own } = desk(t)
  own.heard(state('b', 'life', { 'own:1': 3, 'a:1': 7 }))
  assert.equal(own.hear('b', { instance: 'life', positions: { 'own:1': 5, 'a:1': 6 } }), true)
  assert.deepEqual(own.of('b'), { 'own:1': 5, 'a:1': 7 })
})

test('news of another life of a sibling, of one that was not heard, and what is no news, is not believed', (t) => {
  const { desk: own } = desk(t)
  const news = { instance: 'before', positions: { 'own:1': 5 } }
  assert.equal(own.hear('b', news), false)
  assert.equal(own.of('b'), undefined)
  own.heard(state('b', 'now', {}))
  for (const bad of [
    news,
    undefined,
    'x',
    { instance: 'now' },
    { instance: 'now', positions: { 'own:1': -1 } },
  ])
    assert.equal(own.hear('b', bad), false)
  assert.deepEqual(own.of('b'), {})
})
