/** Origins that are cut again and again under many viewers: what arrives is right or visibly broken. `npm run bench -- faults` is the large form. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCampaign } from '../support/fault-campaign.ts'

const SMALL = { cuts: 60, viewers: 50, maxBytes: 128 * 1024 }

test('sixty cuts of one origin under fifty viewers are seen by nobody', async (t) => {
  const { whole, broken, wrong, things } = await runCampaign(t, { ...SMALL, seed: 1, origins: 1, lost: 0 })
  assert.deepEqual({ whole, broken, wrong }, { whole: things * SMALL.viewers, broken: 0, wrong: 0 })
})

test('sixty cuts of two origins under fifty viewers are seen by nobody', async (t) => {
  const { whole, broken, wrong, things } = await runCampaign(t, { ...SMALL, seed: 2, origins: 2, lost: 0 })
  assert.deepEqual({ whole, broken, wrong }, { whole: things * SMALL.viewers, broken: 0, wrong: 0 })
})

test('things that change as they are cut arrive whole in one version, or visibly broken', async (t) => {
  const { whole, broken, wrong, things } = await runCampaign(t, { ...SMALL, seed: 3, origins: 1, lost: 0.5 })
  assert.equal(wrong, 0)
  assert.equal(whole + broken, things * SMALL.viewers)
  // Without any the test would say nothing.
  assert.ok(broken > 0)
  assert.ok(whole > 0)
})
