/** One file that breaks off, and whether its viewers get it whole or can tell that they do not. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { get } from '../../support/client.ts'
import type { Fault, ServedFile } from '../../support/file-origin.ts'
import { openTestRelais, type TestRelais } from '../../support/relais.ts'
import { settled } from '../../support/settled.ts'

export const BODY = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz')
export const TAGGED: ServedFile = { body: BODY, etag: '"1"' }
export const DATED: ServedFile = { body: BODY, lastModified: 'Wed, 31 Dec 2025 00:00:00 GMT' }
const UPSTREAM = { connectTimeout: '500ms', headTimeout: '300ms', idleTimeout: '200ms', resumeTimeout: '3s' }

export const at = (after: number, how: Fault['how'] = 'close'): Fault => ({ after, how })
export const firstAt =
  (fault: Fault) =>
  (_request: unknown, nth: number): Fault | undefined =>
    nth === 1 ? fault : undefined

export function openRelais(
  t: TestContext,
  origins: readonly { url: string }[],
  upstream: Record<string, unknown> = {},
  route: Record<string, unknown> = {},
): Promise<TestRelais> {
  const routes = [{ prefix: '/', origins: origins.map(({ url }) => url), ...route }]
  return openTestRelais(t, { file: { routes, upstream: { ...UPSTREAM, ...upstream } } })
}

export async function resumptions(relais: TestRelais): Promise<(readonly [number, number])[]> {
  const { routes } = await settled(relais)
  return (routes[0]?.origins ?? []).map(({ resumptions: { tried, succeeded } }) => [tried, succeeded])
}

export async function getWhole(relais: TestRelais, body = BODY): Promise<void> {
  const answer = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(answer.body), String(body))
  assert.equal(answer.isWhole, true)
  await settled(relais)
  const hit = await get(`${relais.url}/seg1.ts`)
  assert.match(String(hit.headers['cache-status']), /; hit/)
  assert.equal(String(hit.body), String(body))
}

/** What came is the beginning, the viewer can tell that it is no more, and nothing is kept. */
export async function getBroken(relais: TestRelais, came?: string): Promise<void> {
  // A reset may overtake what was sent before it, the head included.
  const seen = await get(`${relais.url}/seg1.ts`).catch(() => undefined)
  assert.notEqual(seen?.isWhole, true)
  const body = String(seen?.body ?? '')
  assert.ok((came ?? String(BODY)).startsWith(body), body)
  assert.equal((await settled(relais)).memory.entries, 0)
}
