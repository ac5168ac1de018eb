/** The head of a sibling's response, read strictly: what RFC 9112 lets others get away with, our own release does not send. */
import { isToken } from '../../rfc/grammar.ts'
import type { Fields } from '../../rfc/heads.ts'
import { FormFault } from './form-fault.ts'

export const MAX_HEAD_BYTES = 48 * 1024
const MAX_FIELDS = 128
const MAX_NAMES = 256
/** Of a line that ends wrongly. */
const SHOWN_END = 20

/** Controls, a bare CR, a bare LF (RFC 9112 section 2.2), and a line that goes on in the next (section 5.2). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\0-\x08\v\f\x0e-\x1f\x7f]|\r(?!\n|$)|(?<!\r)\n|\n[ \t]/
const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [^\r]*$/
const PREFIX = 'HTTP/1.1 '

/** What follows the head (RFC 9112 section 6.3): so many bytes, or chunks. */
export type Framing = number | 'chunked'

export interface ResponseForm {
  readonly status: number
  readonly fields: Fields
  readonly framing: Framing
  /** Nothing else comes on this connection. */
  readonly isLast: boolean
}

/** `text`: a head as far as it has come, of which the first `checked` characters were checked. Throws a FormFault. */
export function checkBeginning(text: string, checked: number): void {
  const isBegun = text.length < PREFIX.length ? PREFIX.startsWith(text) : text.startsWith(PREFIX)
  if (!isBegun) throw new FormFault('a status line of HTTP/1.1', text)
  // As far back as what is forbidden may begin.
  let from = Math.max(0, checked - 2)
  if (text[from] === '\n') from++
  checkCharacters(text.slice(from))
}

function checkCharacters(text: string): void {
  const fault = FORBIDDEN.exec(text)
  if (fault === null) return
  const line = text.slice(0, fault.index).lastIndexOf('\n') + 1
  throw new FormFault('lines that end in CR LF, without controls and each a field', text.slice(line))
}

/** Reads heads, and remembers the names of fields: they are the same ones each time. */
export class HeadReader {
  readonly #names = new Map<string, string>()

  /** `text`: the head without the empty line, as latin1. `isHead`: it answers HEAD. Throws a FormFault. */
  read(text: string, isHead: boolean): ResponseForm {
    checkCharacters(text)
    if (text.endsWith('\r')) throw new FormFault('lines that end in CR LF', text.slice(-SHOWN_END))
    const first = text.indexOf('\r\n')
    const line = first === -1 ? text : text.slice(0, first)
    const match = STATUS_LINE.exec(line)
    if (match === null) throw new FormFault('a status line of HTTP/1.1', line)
    const status = Number(match[1])
    const fields = first === -1 ? {} : this.#fieldsOf(text, first + 2)
    return {
      status,
      fields,
      framing: framingOf(status, fields, isHead),
      isLast: isClosing(fields['connection']),
    }
  }

  #fieldsOf(text: string, from: number): Fields {
    const fields: Record<string, string | string[]> = {}
    let count = 0
    for (let at = from; at < text.length; ) {
      const found = text.indexOf('\r\n', at)
      const end = found === -1 ? text.length : found
      const colon = text.indexOf(':', at)
      if (colon === -1 || colon > end) throw new FormFault('a field, name: value', text.slice(at, end))
      if (++count > MAX_FIELDS) throw new FormFault(`at most ${MAX_FIELDS} fields`, `${count}`, true)
      const name = this.#nameOf(text.slice(at, colon))
      const value = trimmed(text, colon + 1, end)
      const before = fields[name]
      if (typeof before === 'string') fields[name] = [before, value]
      else if (Array.isArray(before)) before.push(value)
      // Where a field is named as what all objects have, that is no field before it.
      else fields[name] = value
      at = end + 2
    }
    return fields
  }

  #nameOf(written: string): string {
    const known = this.#names.get(written)
    if (known !== undefined) return known
    // Assigned, the last of these would not become a field but the object's prototype.
    if (!isToken(written) || written === '__proto__') throw new FormFault('the name of a field', written)
    const name = written.toLowerCase()
    if (this.#names.size < MAX_NAMES) this.#names.set(written, name)
    return name
  }
}

function framingOf(status: number, fields: Fields, isHead: boolean): Framing {
  const { 'content-length': length, 'transfer-encoding': coding } = fields
  if (coding !== undefined) {
    if (length !== undefined)
      throw new FormFault('a length or a transfer coding', `${String(length)} and ${String(coding)}`)
    if (typeof coding !== 'string' || coding.toLowerCase() !== 'chunked')
      throw new FormFault('no transfer coding but chunked', String(coding))
  }
  if (length !== undefined && (typeof length !== 'string' || !/^\d{1,15}$/.test(length)))
    throw new FormFault('one content-length, a number', String(length))
  if (isHead || status < 200 || status === 204 || status === 304) return 0
  if (coding !== undefined) return 'chunked'
  // What only the end of the connection ends would look whole when it is half.
  if (length === undefined) throw new FormFault('a content-length or chunks', `status ${status} without`)
  return Number(length)
}

/** Without the white space around it, of which a no-break space is none: it may be half of a letter. */
function trimmed(text: string, from: number, to: number): string {
  let first = from
  let end = to
  while (first < end && isSpace(text.charCodeAt(first))) first++
  while (end > first && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(first, end)
}

function isSpace(code: number): boolean {
  return code === 32 || code === 9
}

function isClosing(connection: Fields[string]): boolean {
  if (connection === undefined || connection === 'keep-alive') return false
  return /(?:^|[\s,])close(?:$|[\s,])/i.test(String(connection))
}
