/** Two nodes for tests of what passes from one to a viewer of the other. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Handler, openOrigin, reply, type TestOrigin } from './origin.ts'
import { openSiblings, type SiblingsOptions, type TestSibling } from './relais-siblings.ts'

export const KEPT = { 'cache-control': 'max-age=600', 'content-type': 'video/mp2t', etag: '"one"' }

export interface Pair {
  readonly origin: TestOrigin
  readonly asker: TestSibling
  readonly owner: TestSibling
  /** Another one at each call. */
  readonly target: () => string
}

export async function pair(
  t: TestContext,
  handler: Handler = (_, response) => reply(response, 'a body', KEPT),
  options: SiblingsOptions = {},
): Promise<Pair> {
  const origin = await openOrigin(t, handler)
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [origin.url], ...options })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  let count = 0
  return { origin, asker, owner, target: () => ownedBy(owner, origin.url, `-${count++}.ts`) }
}
