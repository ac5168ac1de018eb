/** What a response turns out to be: by address and type where they tell, else by its first bytes. */
import { documentOf, kindOf, type MediaKind, mayBeManifest } from '../media/kind.ts'
import { fieldValue } from '../rfc/heads.ts'
import type { UpstreamResponse } from '../upstream/source.ts'

export interface Recognised {
  readonly kind: MediaKind
  /** The same response, its body still unread. */
  readonly response: UpstreamResponse
}

/** Waits for the first bytes only where address and type leave it open, and where the body begins with them: at 0. */
export async function recognise(
  target: string,
  response: UpstreamResponse,
  beginsAt: number,
): Promise<Recognised> {
  const type = fieldValue(response.head.fields, 'content-type')
  const kind = kindOf(target, type)
  const isOpen =
    response.head.status === 200 &&
    beginsAt === 0 &&
    (kind === 'progressive' ||
      (documentOf(kind, type, undefined) === undefined && mayBeManifest(target, type)))
  if (!isOpen || fieldValue(response.head.fields, 'content-encoding') !== undefined) return { kind, response }
  const bytes = response.body[Symbol.asyncIterator]()
  const first = await bytes.next()
  if (first.done === true) return { kind, response: { ...response, body: nothing() } }
  return {
    kind: kindOf(target, type, first.value),
    response: { ...response, body: continued(first.value, bytes) },
  }
}

async function* continued(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield first
    for (;;) {
      const next = await rest.next()
      if (next.done === true) return
      yield next.value
    }
  } finally {
    await rest.return?.()
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An empty body has no chunk at all.
}
