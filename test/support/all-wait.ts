/** Knowing that so many viewers have asked and none is answered, without a counter for it. */
import { until } from './barrier.ts'
import { get } from './client.ts'
import type { TestRelais } from './relais.ts'

/**
 * Settles when so many viewers are connected and their requests are read: one that is stored, `hit`, is asked for after
 * them and answered, and a server reads what came first before what came later.
 */
export async function allWait(relais: TestRelais, hit: string, count: number): Promise<void> {
  await until(async () => (await relais.stats()).viewers === count, `${count} viewers are connected`)
  for (let time = 0; time < 2; time++) await get(hit)
}
