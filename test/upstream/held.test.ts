/** What an origin holds is waited for longer than other things, and its silence is no fault. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heldHeadTimeoutMs } from '../../src/cache/held-fill.ts'
import { openAgent } from '../../src/upstream/agent.ts'
import { Budget } from '../../src/upstream/budget.ts'
import { Origin } from '../../src/upstream/origin.ts'
import { OriginGroup } from '../../src/upstream/origin-group.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { testConfig } from '../support/relais.ts'

const REQUEST = { method: 'GET', target: 'p.m3u8?_HLS_msn=1', fields: {} }
const NEVER = new AbortController().signal

test('silence on what is held neither opens the circuit nor penalises, and costs nothing else its place', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    if (request.url === '/a.ts') reply(response, 'here')
  })
  const { upstream } = testConfig({ origins: [origin.url] })
  const [dispatcher, heldDispatcher] = [openAgent(upstream), openAgent(upstream)]
  t.after(() => Promise.all([dispatcher.destroy(), heldDispatcher.destroy()]))
  const budget = new Budget({ connections: 1, queue: 0, queueTimeoutMs: 1 })
  const held = {
    dispatcher: heldDispatcher,
    budget: new Budget({ connections: 4, queue: 0, queueTimeoutMs: 1 }),
  }
  const clock = testClock().now
  const only = new Origin(origin.url, {
    dispatcher,
    budget,
    held,
    floorBudget: budget,
    headTimeoutMs: 1_000,
    clock,
  })
  const group = new OriginGroup([only], { penaltyMs: 10_000, resume: 'validated', resumeTimeoutMs: 0 }, clock)
  const silences = Array.from({ length: 4 }, () =>
    assert.rejects(group.fetch(REQUEST, NEVER, { held: { headTimeoutMs: 50 } }), {
      code: 'RESPONSE_TIMEOUT',
    }),
  )
  const other = await group.fetch({ method: 'GET', target: 'a.ts', fields: {} }, NEVER)
  assert.equal(other.head.status, 200)
  other.cancel()
  await Promise.all(silences)
  const [state] = group.states()
  assert.deepEqual([state?.circuit, state?.penalisedUntil, state?.errors], ['closed', undefined, 4])
})

test('a held request is waited for longer than three target durations, and never for ever', () => {
  for (const targetMs of [undefined, 2_000, 6_000, 10_000]) {
    const ms = heldHeadTimeoutMs(targetMs)
    assert.ok(ms >= 20_000 && ms > 3 * (targetMs ?? 0), `${targetMs} ${ms}`)
  }
  assert.equal(heldHeadTimeoutMs(10_000), 35_000)
  assert.equal(heldHeadTimeoutMs(1e12), 120_000)
})
