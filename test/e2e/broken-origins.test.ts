/** Origins that are cut again and again under many viewers: what arrives is right or visibly broken. `npm run bench -- faults` is the large form. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { runCampaign } from '../support/fault-campaign.ts'
import { openFileOrigin } from '../support/file-origin.ts'
import { openTestRelais } from '../support/relais.ts'

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

test('a slice of a film that stops is continued within the slice', async (t) => {
  const body = Buffer.alloc(9 * 1024 * 1024)
  for (let at = 0; at < body.byteLength; at += 4) body.writeUInt32LE(at, at)
  const cuts = [100_000, 200_000, 300_000]
  const origin = await openFileOrigin(
    t,
    () => ({ body, etag: '"1"' }),
    () => {
      const after = cuts.shift()
      return after === undefined ? undefined : { after, how: 'close' }
    },
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const headers = { range: 'bytes=4000000-4999999' }
  const answer = await get(`${relais.url}/film.mp4`, { headers })
  assert.equal(answer.status, 206)
  assert.ok(answer.body.equals(body.subarray(4_000_000, 5_000_000)))
  assert.equal(answer.isWhole, true)
  const ranges = origin.asked.map(({ range = '' }) => range.replace('bytes=', '').split('-').map(Number))
  // Every byte of the two slices was asked for, and none of any other.
  assert.ok(ranges.every(([first = 0, last = 0]) => first >= 2 * 1024 * 1024 && last < 6 * 1024 * 1024))
  assert.equal(origin.asked.length, 5)
})
