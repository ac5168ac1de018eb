/** Leads the addresses in an MPD, a patch of one, or a remote part of one to us, and leaves every other byte of it as it is. */
import type { BadManifest } from '../facts.ts'
import { REMOTE_ELEMENTS } from '../first-bytes.ts'
import { whatCame } from '../what-came.ts'
import type { Place } from './place.ts'
import { Splices } from './splices.ts'
import { localName, type OpenTag, scanTags, type TagReader, xmlAttributes } from './xml-tags.ts'
import { contentText, escapeXml, unescapeXml } from './xml-text.ts'

/** Elements that may have a BaseURL of their own (ISO/IEC 23009-1 section 5.6). */
const LEVELS: ReadonlySet<string> = new Set(['MPD', 'Period', 'AdaptationSet', 'Representation'])
/** Attributes whose addresses are relative to the nearest BaseURL. */
const CARRIERS: ReadonlyMap<string, readonly string[]> = new Map([
  ['SegmentTemplate', ['media', 'initialization', 'index', 'bitstreamSwitching']],
  ['SegmentURL', ['media', 'index']],
  ['Initialization', ['sourceURL']],
  ['RepresentationIndex', ['sourceURL']],
  ['BitstreamSwitching', ['sourceURL']],
])
/** Elements whose text is an address relative to the document. */
const DOCUMENT_TEXTS: ReadonlySet<string> = new Set(['Location', 'PatchLocation', 'ContentSteering'])
const XLINK_HREF = /^[^:]+:href$/

/** What the selector of a patch names (RFC 5261 section 4.1): an attribute, or the text of an element. */
const SELECTED_ATTRIBUTE = /@(?:media|initialization|index|bitstreamSwitching|sourceURL|[^:@/[\]]+:href)$/
const SELECTED_TEXT =
  /(?:^|[/:])(?:BaseURL|Location|PatchLocation|ContentSteering)(?:\[[^\]]*\])?\/text\(\)(?:\[1\])?$/

const LONGEST_SELECTOR = 4096

/** MPDs are about ten deep; more is an attack on whoever reads it. */
const DEEPEST = 64

/** An element, or the document, with addresses relative to it. */
interface Level {
  readonly depth: number
  place: Place
  hasBase: boolean
  hasBaseBelow: boolean
  /** Replacements that hold only when no element below has a base of its own. */
  readonly waiting: Parameters<Splices['add']>[]
}

/** An element whose text is an address. */
interface AddressText {
  readonly name: string
  readonly depth: number
  readonly start: number
}

/**
 * The document for viewers who have it from us: the very same string when nothing changes. Never throws; takes time in
 * proportion to the text. Bad when it is no whole XML document with the root MPD or Patch
 * or a remote element, or would grow beyond reason.
 *
 * The relative addresses in a patch are those of the MPD, so `place` must be where that stands; those of remote elements
 * (xlink), of which several may stand beside each other, stay as they are, for they are the MPD's as well.
 *
 * After a redirect a segment address that Representations inherit is based anew only where none of them has a BaseURL:
 * where some have and some have not, no single text would be right.
 */
export function rewriteDash(text: string, place: Place): string | BadManifest {
  const rewriter = new Rewriter(text, place)
  const came = scanTags(text, rewriter) ?? rewriter.whatIsMissing()
  if (came !== undefined)
    return { bad: `expected a whole XML document with the root MPD or Patch, came ${came}` }
  return rewriter.splices.apply(text)
}

class Rewriter implements TagReader {
  readonly #text: string
  readonly splices = new Splices()
  readonly #names: string[] = []
  readonly #document: Level
  readonly #levels: Level[]
  /** Its local name. */
  #root: string | undefined
  #address: AddressText | undefined

  constructor(text: string, place: Place) {
    this.#text = text
    this.#document = level(0, place)
    this.#levels = [this.#document]
  }

  /** Once all tags have come; undefined: nothing. */
  whatIsMissing(): string | undefined {
    if (this.#root === undefined) return whatCame(this.#text)
    const open = this.#names.at(-1)
    return open === undefined ? undefined : `<${open.slice(0, 60)}> without its end`
  }

  open(tag: OpenTag): string | undefined {
    const name = localName(tag.name)
    if (this.#names.length === 0) {
      const shown = `<${tag.name.slice(0, 60)}>`
      const isRemote = REMOTE_ELEMENTS.has(name)
      if (this.#root !== undefined && !(isRemote && name === this.#root)) return `${shown} after the root`
      if (name !== 'MPD' && name !== 'Patch' && !isRemote)
        return name.toLowerCase() === 'html' ? 'HTML' : shown
      this.#root = name
      if (name !== 'MPD') this.#document.place = this.#document.place.withoutRebasing()
    }
    if (this.#names.length >= DEEPEST) return `elements more than ${DEEPEST} deep`
    this.#address = undefined
    const attributes = this.#attributes(name, tag)
    const depth = this.#names.push(tag.name)
    if (LEVELS.has(name)) this.#levels.push(level(depth, this.#level.place))
    if (name === 'BaseURL' || DOCUMENT_TEXTS.has(name) || selectsAddress(name, attributes)) {
      this.#address = { name, depth, start: tag.end }
    }
    return tag.isEmpty ? this.close(tag.name, tag.end) : undefined
  }

  /** Rewrites the attributes of an element, and returns them where they say what its text is. */
  #attributes(name: string, tag: OpenTag): ReadonlyMap<string, string> | undefined {
    // Of these there are a hundred thousand, and they have no addresses.
    if (name === 'S') return undefined
    const carriers = CARRIERS.get(name)
    const isPatching = name === 'add' || name === 'replace'
    const source = this.#text.slice(tag.attributesStart, tag.attributesEnd)
    if (carriers === undefined && !isPatching && !source.includes(':href')) return undefined
    const attributes = xmlAttributes(this.#text, tag.attributesStart, tag.attributesEnd)
    for (const attribute of attributes) {
      const isLink = XLINK_HREF.test(attribute.name)
      const written = isLink || carriers?.includes(attribute.name) ? unescapeXml(attribute.raw) : undefined
      if (written !== undefined) this.#replace(written, attribute.start, attribute.end, isLink)
    }
    return isPatching ? new Map(attributes.map((attribute) => [attribute.name, attribute.raw])) : undefined
  }

  close(name: string, start: number): string | undefined {
    const open = this.#names.at(-1)
    if (open !== name) return `</${name.slice(0, 60)}> in the place of </${(open ?? '').slice(0, 60)}>`
    if (this.#address?.depth === this.#names.length) this.#rewriteText(this.#address, start)
    this.#address = undefined
    if (this.#level !== this.#document && this.#level.depth === this.#names.length) {
      const closed = this.#levels.pop()
      if (closed?.hasBaseBelow === false) for (const splice of closed.waiting) this.splices.add(...splice)
    }
    this.#names.pop()
    return undefined
  }

  #rewriteText({ name, start, depth }: AddressText, end: number): void {
    const raw = this.#text.slice(start, Math.max(start, end))
    const written = contentText(raw)?.trim()
    const from = start + raw.length - raw.trimStart().length
    const to = from + raw.trim().length
    const current = this.#level
    if (written !== undefined && written !== '') {
      const place = DOCUMENT_TEXTS.has(name) ? this.#document.place : current.place
      const localised = place.localise(written)
      if (localised !== undefined) this.splices.add(from, to, escapeXml(localised))
    }
    if (name !== 'BaseURL') return
    for (const above of this.#levels) if (above !== current) above.hasBaseBelow = true
    // Others beside the first one are alternatives to it.
    if (current.depth !== depth - 1 || current.hasBase) return
    current.hasBase = true
    current.place = written === undefined ? current.place.unknown() : current.place.below(written)
  }

  /** An attribute that is relative to the level it stands in; links are, whatever elements below have. */
  #replace(written: string, start: number, end: number, isLink: boolean): void {
    const { place, waiting } = this.#level
    const localised = place.localise(written)
    if (localised === undefined) return
    const replacement = escapeXml(localised)
    const isInherited = !place.isAligned && !isLink && !/^(?:[a-z][a-z0-9+.-]*:|\/)/i.test(written)
    if (!isInherited) this.splices.add(start, end, replacement)
    else waiting.push([start, end, replacement])
  }

  get #level(): Level {
    return this.#levels.at(-1) ?? this.#document
  }
}

function level(depth: number, place: Place): Level {
  return { depth, place, hasBase: false, hasBaseBelow: false, waiting: [] }
}

function selectsAddress(name: string, attributes: ReadonlyMap<string, string> | undefined): boolean {
  if (attributes === undefined || (name !== 'add' && name !== 'replace')) return false
  const selector = attributes.get('sel') ?? ''
  const type = attributes.get('type') ?? ''
  if (selector.length + type.length > LONGEST_SELECTOR) return false
  return SELECTED_ATTRIBUTE.test(selector) || SELECTED_ATTRIBUTE.test(type) || SELECTED_TEXT.test(selector)
}
