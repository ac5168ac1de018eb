/** All segments that a playlist lists, in a form small enough to be kept for as long as the playlist is. */
import type { ByteRange } from '../rfc/range.ts'
import { placeOf } from './place.ts'

/** A presentation of 33 hours in pieces of 6 seconds. Of a longer one the last are kept, where a live stream is watched. */
export const MAX_LISTED = 20_000
/** In characters, over all addresses. */
export const MAX_LISTING = 2 * 1024 * 1024
/** Of addresses that are not plainly the one that is looked for, how many are resolved to find out. */
const MAX_RESOLVED = 256

/** One line a segment: its address as written, then, for a range of a file, a tab and the range. Gaps are left out. */
export interface Listing {
  /** Begins and ends with a line end. */
  readonly lines: string
  readonly count: number
  /** False: the segments before these were too many to be kept. */
  readonly isWhole: boolean
}

export interface Listed {
  readonly address: string
  /** Undefined: the whole of what lies there. */
  readonly range: ByteRange | undefined
}

export const NOTHING_LISTED: Listing = { lines: '\n', count: 0, isWhole: true }

/** How a segment is written in a listing. */
export function lineOf(address: string, range: ByteRange | undefined): string {
  return range === undefined ? address : `${address}\t${range.first}-${range.last}`
}

/** `lines` as lineOf makes them, in the order of the playlist. */
export function listingOf(lines: readonly string[]): Listing {
  let first = Math.max(0, lines.length - MAX_LISTED)
  let size = 0
  for (let at = lines.length - 1; at >= first; at--) {
    size += (lines[at]?.length ?? 0) + 1
    if (size > MAX_LISTING) first = at + 1
  }
  if (first === lines.length) return { ...NOTHING_LISTED, isWhole: lines.length === 0 }
  const kept = first === 0 ? lines : lines.slice(first)
  return { lines: `\n${kept.join('\n')}\n`, count: kept.length, isWhole: first === 0 }
}

/** Whether the playlist at `manifest` lists what a viewer asks for as `target`, as a whole or in ranges. */
export function lists(listing: Listing, manifest: string, target: string): boolean {
  return lineStart(listing, manifest, target, undefined) !== undefined
}

/**
 * The segments after the one that a viewer asked for, at most `count` of them. With a range the one that holds its
 * first byte; without, the first of that address. Empty when it is not listed, or the last.
 */
export function following(
  listing: Listing,
  manifest: string,
  asked: { readonly target: string; readonly range?: ByteRange | undefined },
  count: number,
): readonly Listed[] {
  const found: Listed[] = []
  let at = lineStart(listing, manifest, asked.target, asked.range)
  if (at === undefined) return found
  for (at = listing.lines.indexOf('\n', at) + 1; at < listing.lines.length && found.length < count; ) {
    const end = listing.lines.indexOf('\n', at)
    found.push(listedOf(listing.lines.slice(at, end)))
    at = end + 1
  }
  return found
}

function listedOf(line: string): Listed {
  const tab = line.lastIndexOf('\t')
  if (tab === -1) return { address: line, range: undefined }
  const [first = '', last = ''] = line.slice(tab + 1).split('-')
  return { address: line.slice(0, tab), range: { first: Number(first), last: Number(last) } }
}

/** Where the line of a segment begins. */
function lineStart(
  listing: Listing,
  manifest: string,
  target: string,
  range: ByteRange | undefined,
): number | undefined {
  const folder = folderOf(manifest)
  const plain = target.startsWith(folder) ? target.slice(folder.length) : undefined
  for (const address of plain === undefined ? [target] : [plain, target]) {
    const at = writtenSo(listing.lines, address, range)
    if (at !== undefined) return at
  }
  return resolvedSo(listing.lines, manifest, target, range)
}

function writtenSo(lines: string, address: string, range: ByteRange | undefined): number | undefined {
  const whole = lines.indexOf(`\n${address}\n`)
  if (whole !== -1) return whole + 1
  const piece = `\n${address}\t`
  const exact = range === undefined ? -1 : lines.indexOf(`\n${lineOf(address, range)}\n`)
  if (exact !== -1) return exact + 1
  for (let at = lines.indexOf(piece); at !== -1; at = lines.indexOf(piece, at + 1)) {
    if (holds(lines, at + 1, range)) return at + 1
  }
  return undefined
}

/** For addresses with a host or dot segments. Those with characters that players encode are not found. */
function resolvedSo(
  lines: string,
  manifest: string,
  target: string,
  range: ByteRange | undefined,
): number | undefined {
  const name = target.slice(folderOf(target).length - 1)
  let resolved = 0
  for (let at = lines.indexOf(name); at !== -1 && resolved < MAX_RESOLVED; at = lines.indexOf(name, at + 1)) {
    resolved++
    const start = lines.lastIndexOf('\n', at) + 1
    const place = placeOf(manifest, listedOf(lines.slice(start, lines.indexOf('\n', start))).address)
    if (place?.kind === 'here' && place.target === target && holds(lines, start, range)) return start
  }
  return undefined
}

/** Whether the range of a line holds the first byte of another; a line without one, and no other, always does. */
function holds(lines: string, start: number, range: ByteRange | undefined): boolean {
  const own = listedOf(lines.slice(start, lines.indexOf('\n', start))).range
  return range === undefined || own === undefined || (own.first <= range.first && range.first <= own.last)
}

/** With its slash, without the query. */
function folderOf(target: string): string {
  const question = target.indexOf('?')
  return target.slice(0, target.lastIndexOf('/', question === -1 ? undefined : question) + 1)
}
