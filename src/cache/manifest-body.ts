/** A manifest is taken whole before anyone sees it: it changes atomically for its readers (HLS section 6.2.1). */
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import { RelaisError } from '../errors.ts'
import { isBad, type ManifestFacts } from '../media/facts.ts'
import type { MediaKind } from '../media/kind.ts'
import { readManifest } from '../media/manifest.ts'
import { fieldValue } from '../rfc/heads.ts'
import type { UpstreamResponse } from '../upstream/source.ts'

/** A day of two-second segments is 5 MiB of playlist; more is no manifest. */
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024

export interface Manifest {
  readonly bytes: Uint8Array
  readonly facts: ManifestFacts
  /** The response once more, its body now in memory. */
  readonly response: UpstreamResponse
}

/** Rejects with BAD_MANIFEST when what came is none, or has no end, and with what broke the body off. */
export async function collect(response: UpstreamResponse, kind: MediaKind): Promise<Manifest> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size > MAX_MANIFEST_BYTES) throw bad(response, `more than ${MAX_MANIFEST_BYTES} bytes`)
  }
  const bytes = Buffer.concat(chunks, size)
  const facts = readManifest(kind, await decoded(response, bytes))
  if (isBad(facts)) throw bad(response, facts.bad)
  return { bytes, facts, response: { ...response, body: once(bytes) } }
}

/** The manifest's text as it was before content coding; rejects with BAD_MANIFEST for a coding that is none. */
async function decoded(response: UpstreamResponse, bytes: Uint8Array): Promise<Uint8Array> {
  const coding = fieldValue(response.head.fields, 'content-encoding')?.trim().toLowerCase()
  // The bound also holds for what a few bytes can be blown up to.
  const options = { maxOutputLength: MAX_MANIFEST_BYTES }
  try {
    switch (coding) {
      case undefined:
      case '':
      case 'identity':
        return bytes
      case 'gzip':
      case 'x-gzip':
        return await promisify<Uint8Array, typeof options, Buffer>(gunzip)(bytes, options)
      case 'deflate':
        return await promisify<Uint8Array, typeof options, Buffer>(inflate)(bytes, options)
      case 'br':
        return await promisify<Uint8Array, typeof options, Buffer>(brotliDecompress)(bytes, options)
    }
  } catch (error) {
    throw bad(response, `not ${coding}: ${error instanceof Error ? error.message : String(error)}`)
  }
  throw bad(response, `an unknown content coding: ${coding}`)
}

function bad(response: UpstreamResponse, details: string): RelaisError {
  const { from, head } = response
  return new RelaisError('BAD_MANIFEST', { details, nextHop: from, receivedStatus: head.status })
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
