/** The books of a Relais when everything is over: nothing is under way, and each request is exactly one outcome. */
import assert from 'node:assert/strict'
import type { Stats } from '../../src/ops/stats.ts'
import { until } from './barrier.ts'
import type { TestRelais } from './relais.ts'

/** Waits until no fill is under way and checks that the counters agree. */
export async function settled(relais: TestRelais): Promise<Stats> {
  await until(async () => (await relais.stats()).fills === 0, 'no fill is under way')
  const stats = await relais.stats()
  const { total, hit, stale, miss, collapsed, pass, error } = stats.requests
  assert.equal(total, hit + stale + miss + collapsed + pass + error)
  assert.ok(stats.memory.bytes <= stats.memory.maxBytes)
  return stats
}
