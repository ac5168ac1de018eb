/** A response whose body is taken whole before anyone relies on it. */
import { RelaisError } from '../errors.ts'
import type { UpstreamResponse } from '../upstream/source.ts'

/** What is larger is no manifest. */
const MAX_BYTES = 16 * 1024 * 1024

/** The same with a body that cannot break off. Rejects with what broke it off, and when it is more than any manifest. */
export async function whole(response: UpstreamResponse): Promise<UpstreamResponse> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.byteLength
    if (bytes > MAX_BYTES) {
      const details = `more than ${MAX_BYTES} bytes of what it says is a manifest`
      throw new RelaisError('RESPONSE_PROTOCOL', { details, nextHop: response.from })
    }
    chunks.push(chunk)
  }
  return { ...response, body: again(chunks) }
}

async function* again(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
