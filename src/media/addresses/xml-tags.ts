/** Finds the tags of an XML document where they stand; what is between and within them is for others to read. */

export interface OpenTag {
  /** With its prefix, as written. */
  readonly name: string
  /** Of what follows the name, in the document. */
  readonly attributesStart: number
  /** Exclusive. */
  readonly attributesEnd: number
  /** After the tag. */
  readonly end: number
  readonly isEmpty: boolean
}

/** Each is told what is next, and may return in a few words what is wrong with it, which ends the scan. */
export interface TagReader {
  open(tag: OpenTag): string | undefined
  /** `start` is that of the tag. */
  close(name: string, start: number): string | undefined
}

export interface XmlAttribute {
  readonly name: string
  /** As written, between the quotes. */
  readonly raw: string
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

const GREATER = 0x3e
const SLASH = 0x2f
const DOUBLE_QUOTE = 0x22
const SINGLE_QUOTE = 0x27
const SPACE = 0x20

/**
 * Shows all tags in their order. Comments, CDATA sections and instructions are skipped; a document type declaration,
 * which no MPD has, ends it: entities that are made of entities begin there. Returns what came, in a few words, when it
 * is no XML; looks at each character once.
 */
export function scanTags(text: string, reader: TagReader): string | undefined {
  for (let start = text.indexOf('<'); start !== -1; ) {
    let end: number
    let wrong: string | undefined
    switch (text[start + 1]) {
      case '!':
        if (text.startsWith('<!--', start)) end = endOf(text, '-->', start + 4)
        else if (text.startsWith('<![CDATA[', start)) end = endOf(text, ']]>', start + 9)
        else return 'a document type declaration'
        break
      case '?':
        end = endOf(text, '?>', start + 2)
        break
      case '/':
        end = endOf(text, '>', start + 2)
        if (end !== -1) wrong = reader.close(text.slice(start + 2, end - 1).trim(), start)
        break
      default:
        end = tagEnd(text, start + 1)
        if (end !== -1) wrong = reader.open(openTag(text, start, end))
    }
    if (end === -1) return 'a tag, a comment or a CDATA section without its end'
    if (wrong !== undefined) return wrong
    start = text.indexOf('<', end)
  }
  return undefined
}

/** The attributes between two places of the document, up to where they are none any more. */
export function xmlAttributes(text: string, from: number, to: number): XmlAttribute[] {
  const source = text.slice(from, to)
  const attributes: XmlAttribute[] = []
  const pattern = /\s*([^\s=]+)\s*=\s*("[^"]*"|'[^']*')/y
  for (let match = pattern.exec(source); match !== null; match = pattern.exec(source)) {
    const [, name = '', quoted = ''] = match
    const end = from + pattern.lastIndex - 1
    attributes.push({ name, raw: quoted.slice(1, -1), start: end - quoted.length + 2, end })
  }
  return attributes
}

/** The name without its prefix. */
export function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

function openTag(text: string, start: number, end: number): OpenTag {
  const isEmpty = text.charCodeAt(end - 2) === SLASH
  const attributesEnd = isEmpty ? end - 2 : end - 1
  let nameEnd = start + 1
  while (nameEnd < attributesEnd && text.charCodeAt(nameEnd) > SPACE && text.charCodeAt(nameEnd) !== SLASH)
    nameEnd++
  const name = text.slice(start + 1, nameEnd)
  return { name, attributesStart: nameEnd, attributesEnd, end, isEmpty }
}

/** After the > that is in no quotes; -1: nowhere. */
function tagEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === GREATER) return at + 1
    if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) {
      at = text.indexOf(code === DOUBLE_QUOTE ? '"' : "'", at + 1)
      if (at === -1) return -1
    }
  }
  return -1
}

/** -1: nowhere. */
function endOf(text: string, closing: string, from: number): number {
  const at = text.indexOf(closing, from)
  return at === -1 ? -1 : at + closing.length
}
