/** Leads the addresses in an HLS playlist to us, and leaves every other byte of it as it is. */
import type { BadManifest } from '../facts.ts'
import type { AddressBook } from './address-book.ts'
import { eachQuotedAttribute, type QuotedAttribute } from './attribute-list.ts'
import type { Place } from './place.ts'
import { Splices } from './splices.ts'
import { Variables } from './variables.ts'

/**
 * plain: whatever form it has. absolute: one that the draft wants with scheme and host. relative: one that must not have
 * them, and that is compared with the names other playlists have, so that a redirect makes no difference to it.
 */
type Carrier = 'plain' | 'absolute' | 'relative'

/** The attributes that carry addresses, by tag (draft-pantos-hls-rfc8216bis section 4.4, appendices D and F). */
const CARRIERS: ReadonlyMap<string, Readonly<Record<string, Carrier>>> = new Map([
  ...[
    '#EXT-X-MEDIA',
    '#EXT-X-I-FRAME-STREAM-INF',
    '#EXT-X-SESSION-DATA',
    '#EXT-X-SESSION-KEY',
    '#EXT-X-KEY',
    '#EXT-X-MAP',
    '#EXT-X-PART',
    '#EXT-X-PRELOAD-HINT',
    // Not of the draft: thumbnails, as packagers write them.
    '#EXT-X-IMAGE-STREAM-INF',
  ].map((tag): [string, Record<string, Carrier>] => [tag, { URI: 'plain' }]),
  ['#EXT-X-CONTENT-STEERING', { 'SERVER-URI': 'plain' }],
  ['#EXT-X-RENDITION-REPORT', { URI: 'relative' }],
  ['#EXT-X-DATERANGE', { 'X-ASSET-URI': 'absolute', 'X-ASSET-LIST': 'plain', 'X-URI': 'plain' }],
])

/** Not of the draft: the address of a segment that is being made is all that stands behind the colon. */
const ADDRESS_TAGS: ReadonlySet<string> = new Set(['#EXT-X-PREFETCH', '#EXT-X-TWITCH-PREFETCH'])

const DEFINE = '#EXT-X-DEFINE'
/** With its #; the configuration takes no longer one. */
const LONGEST_NAME = 64

/**
 * The playlist for viewers who have it from us: the very same string when nothing changes, as for what does not begin
 * with #EXTM3U. Never throws; takes time in proportion to the text. Bad when the text would grow beyond reason.
 */
export function rewriteHls(text: string, place: Place): string | BadManifest {
  const first = text.startsWith('\ufeff') ? 1 : 0
  if (!text.startsWith('#EXTM3U', first)) return text
  const splices = new Splices()
  const variables = new Variables(place)
  let start = first
  while (start < text.length) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    if (text[start] !== '#') rewriteAddress(text.slice(start, end), start, variables, splices)
    else if (text.startsWith('EXT-X-', start + 1))
      rewriteTag(text.slice(start, end), start, place.book, variables, splices)
    start = end + 1
  }
  return splices.apply(text)
}

/** A line that is an address, with the white space around it that players forgive. */
function rewriteAddress(line: string, offset: number, variables: Variables, splices: Splices): void {
  const address = line.trim()
  if (address === '') return
  const localised = variables.localise(address, 'relative')
  if (localised === undefined) return
  const start = offset + line.indexOf(address)
  splices.add(start, start + address.length, localised)
}

function rewriteTag(
  line: string,
  offset: number,
  book: AddressBook,
  variables: Variables,
  splices: Splices,
): void {
  const colon = line.slice(0, LONGEST_NAME).indexOf(':')
  if (colon === -1) return
  const name = line.slice(0, colon)
  if (name === DEFINE) {
    rewriteDefinition(line, offset, variables, splices)
    return
  }
  if (ADDRESS_TAGS.has(name)) {
    rewriteAddress(line.slice(colon + 1), offset + colon + 1, variables, splices)
    return
  }
  const carriers = CARRIERS.get(name)
  const named = book.attributesOf(name)
  if (carriers === undefined && named.length === 0) return
  eachQuotedAttribute(line, colon + 1, (attribute) => {
    const isKnown = carriers !== undefined && Object.hasOwn(carriers, attribute.name)
    const carrier = isKnown ? carriers[attribute.name] : named.includes(attribute.name) ? 'plain' : undefined
    if (carrier === undefined) return
    const localised = localise(attribute.value, carrier, variables)
    // There is no way to escape one; the address that a redirect led to may have it.
    if (localised === undefined || localised.includes('"')) return
    splices.add(offset + attribute.start, offset + attribute.end, localised)
  })
}

function localise(value: string, carrier: Carrier, variables: Variables): string | undefined {
  if (carrier !== 'relative') return variables.localise(value, carrier === 'plain' ? 'relative' : 'absolute')
  const isPathRelative = !/^(?:[a-z][a-z0-9+.-]*:|\/|\{\$)/i.test(value)
  const localised = isPathRelative ? undefined : variables.localise(value, 'relative')
  return localised?.startsWith('/') ? localised : undefined
}

function rewriteDefinition(line: string, offset: number, variables: Variables, splices: Splices): void {
  let name: QuotedAttribute | undefined
  let value: QuotedAttribute | undefined
  eachQuotedAttribute(line, DEFINE.length + 1, (attribute) => {
    if (attribute.name === 'NAME') name = attribute
    if (attribute.name === 'VALUE') value = attribute
  })
  if (name === undefined || value === undefined) return
  const localised = variables.define(name.value, value.value)
  if (localised === undefined) return
  splices.add(offset + value.start, offset + value.end, localised)
}
