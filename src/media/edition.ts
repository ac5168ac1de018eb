/** One document from the bytes that came to those that viewers get, with the facts in it. */
import { createHash } from 'node:crypto'
import type { AddressBook } from './addresses/address-book.ts'
import { rewriteDash } from './addresses/dash-addresses.ts'
import { rewriteHls } from './addresses/hls-addresses.ts'
import { rewriteAssetList, rewriteSteering } from './addresses/json-addresses.ts'
import { Place } from './addresses/place.ts'
import { type BadManifest, isBad, type ManifestFacts } from './facts.ts'
import { REMOTE_ELEMENTS, rootOf } from './first-bytes.ts'
import { type DocumentKind, isManifest } from './kind.ts'
import { readManifest, readManifestText } from './manifest.ts'

/** Plain data, so that another thread can be told. */
export interface Manuscript {
  readonly kind: DocumentKind
  /** Without content coding. */
  readonly bytes: Uint8Array
  /** Where it came from, after redirects: an absolute URL. */
  readonly fetched: string
  /** What viewers ask us for. */
  readonly asked: string
  /** False: it is not to be transformed (RFC 9110 section 7.7). */
  readonly isOurs: boolean
}

export interface Edition {
  /** A part of an MPD is known only when it has been read. */
  readonly kind: DocumentKind
  /** Those that came where no address changes. */
  readonly bytes: Uint8Array
  readonly isChanged: boolean
  /** A strong validator of `bytes`. */
  readonly etag: string
  /** Undefined: the kind is none that tells of a stream. */
  readonly facts: ManifestFacts | undefined
}

/** Longer than any declaration and comment in front of the root element. */
const HEAD_CHARACTERS = 4096

/** Never throws for what stands in `bytes`; takes time in proportion to them. */
export function edit(book: AddressBook, manuscript: Manuscript): Edition | BadManifest {
  const { bytes } = manuscript
  const text = bytes[0] === 0x1f && bytes[1] === 0x8b ? undefined : asText(bytes)
  if (text === undefined) return unwritable(manuscript)
  const kind = kindOfText(manuscript.kind, text)
  const written = manuscript.isOurs ? rewritten(book, { ...manuscript, kind }, text) : text
  if (typeof written !== 'string') return written
  const facts = isManifest(kind) ? readManifestText(kind, written) : undefined
  if (facts !== undefined && isBad(facts)) return facts
  const isChanged = written !== text
  const edited = isChanged ? Buffer.from(written) : bytes
  return { kind, bytes: edited, isChanged, etag: etagOf(edited), facts }
}

/** A strong validator of bytes that were made here. */
export function etagOf(bytes: Uint8Array): string {
  return `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
}

/** What cannot be written again as it came; it may be read all the same. */
function unwritable({ kind, bytes }: Manuscript): Edition | BadManifest {
  if (!isManifest(kind)) return { bad: `expected ${nameOf(kind)} in UTF-8, came other bytes` }
  const facts = readManifest(kind, bytes)
  return isBad(facts) ? facts : { kind, bytes, isChanged: false, etag: etagOf(bytes), facts }
}

function kindOfText(kind: DocumentKind, text: string): DocumentKind {
  if (kind !== 'dash-mpd') return kind
  const root = rootOf(text.slice(0, HEAD_CHARACTERS).replace(/^\ufeff/, ''))
  return root !== undefined && REMOTE_ELEMENTS.has(root) ? 'dash-fragment' : kind
}

function rewritten(
  book: AddressBook,
  { kind, fetched, asked }: Manuscript,
  text: string,
): string | BadManifest {
  const place = Place.of(book, fetched, asked)
  switch (kind) {
    case 'hls-playlist':
      return rewriteHls(text, place)
    case 'dash-mpd':
    case 'dash-patch':
    case 'dash-fragment':
      return rewriteDash(text, place)
    case 'steering':
      return rewriteSteering(text, place)
    case 'asset-list':
      return rewriteAssetList(text, place)
  }
}

/** Undefined: not UTF-8. */
function asText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined // whether it is a manifest all the same is for its reader to say
  }
}

function nameOf(kind: DocumentKind): string {
  switch (kind) {
    case 'steering':
      return 'a steering manifest'
    case 'asset-list':
      return 'an asset list'
    default:
      return 'a part of an MPD'
  }
}
