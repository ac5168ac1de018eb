/** A manifest is taken whole before anyone sees it (HLS section 6.2.1), and its addresses are led to us. */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import { RelaisError } from '../errors.ts'
import type { AddressBook } from '../media/addresses/address-book.ts'
import { rewriteDash } from '../media/addresses/dash-addresses.ts'
import { rewriteHls } from '../media/addresses/hls-addresses.ts'
import { Place } from '../media/addresses/place.ts'
import { isBad, type ManifestFacts } from '../media/facts.ts'
import type { MediaKind } from '../media/kind.ts'
import { readManifest } from '../media/manifest.ts'
import { responseDirectives } from '../rfc/cache-control.ts'
import { omitFields } from '../rfc/connection.ts'
import { simpleList } from '../rfc/grammar.ts'
import { type Fields, fieldValue } from '../rfc/heads.ts'
import type { UpstreamResponse } from '../upstream/source.ts'

/** A day of two-second segments is 5 MiB of playlist; more is no manifest. */
export const MAX_MANIFEST_BYTES = 16 * 1024 * 1024

/** What speaks of the bytes as the origin sent them. */
export const OF_THE_BYTES: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-encoding',
  'content-length',
  'content-md5',
  'digest',
  'etag',
  'repr-digest',
  'transfer-encoding',
  'vary',
])

export interface Manifest {
  readonly bytes: Uint8Array
  readonly facts: ManifestFacts
  /** The response as it goes on: its body in memory, and its head that of this body. */
  readonly response: UpstreamResponse
  /** What the origin calls it by, where the bytes are others than the origin's; undefined: they are not. */
  readonly validators: Fields | undefined
}

/**
 * `target` is what viewers ask us for. Rejects with BAD_MANIFEST when what came is none, or has no end, and with what
 * broke the body off.
 */
export async function collect(
  response: UpstreamResponse,
  kind: MediaKind,
  addresses: AddressBook,
  target: string,
): Promise<Manifest> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size > MAX_MANIFEST_BYTES) throw bad(response, `more than ${MAX_MANIFEST_BYTES} bytes`)
  }
  const sent = Buffer.concat(chunks, size)
  const plain = await decodedOf(response, sent)
  // RFC 9110 section 7.7: what is not to be transformed keeps even its content coding.
  const isOurs = !responseDirectives(response.head.fields).directives.noTransform
  const bytes = isOurs ? localised(response, kind, plain, addresses, target) : sent
  const facts = readManifest(kind, isOurs ? bytes : plain)
  if (isBad(facts)) throw bad(response, facts.bad)
  if (bytes === sent) {
    return { bytes, facts, response: { ...response, body: once(bytes) }, validators: undefined }
  }
  const { fields } = response.head
  const head = { ...response.head, fields: fieldsOf(fields, bytes) }
  const validators = { etag: fields['etag'], 'last-modified': fields['last-modified'] }
  return { bytes, facts, response: { ...response, head, body: once(bytes) }, validators }
}

/** The very same bytes where no address changes. */
function localised(
  response: UpstreamResponse,
  kind: MediaKind,
  plain: Uint8Array,
  addresses: AddressBook,
  target: string,
): Uint8Array {
  const text = asText(plain)
  if (text === undefined) return plain
  const place = Place.of(addresses, response.url, target)
  const result = kind === 'hls-playlist' ? rewriteHls(text, place) : rewriteDash(text, place)
  if (typeof result !== 'string') throw bad(response, result.bad)
  return result === text ? plain : Buffer.from(result)
}

/** Undefined: not UTF-8, so that it could not be written again as it came. */
function asText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined // whether it is a manifest all the same is for its reader to say
  }
}

/** The fields of a body that we have made: a strong validator of its own, and no dependence on a coding it no longer has. */
function fieldsOf(fields: Fields, bytes: Uint8Array): Fields {
  const vary = simpleList(fieldValue(fields, 'vary')).filter(
    (name) => name.toLowerCase() !== 'accept-encoding',
  )
  return {
    ...omitFields(fields, OF_THE_BYTES),
    ...(vary.length === 0 ? {} : { vary: vary.join(', ') }),
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    'content-length': String(bytes.byteLength),
  }
}

/** Rejects with BAD_MANIFEST for a coding that is none. */
async function decodedOf(response: UpstreamResponse, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await decoded(response.head.fields, bytes)
  } catch (error) {
    throw bad(response, error instanceof Error ? error.message : String(error))
  }
}

/** A manifest's bytes as they were before content coding; rejects with an Error that says what they are not. */
export async function decoded(fields: Fields, bytes: Uint8Array): Promise<Uint8Array> {
  const coding = fieldValue(fields, 'content-encoding')?.trim().toLowerCase()
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
    throw new Error(`not ${coding}: ${error instanceof Error ? error.message : String(error)}`)
  }
  throw new Error(`an unknown content coding: ${coding}`)
}

function bad({ from, head }: UpstreamResponse, details: string): RelaisError {
  return new RelaisError('BAD_MANIFEST', { details, nextHop: from, receivedStatus: head.status })
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
