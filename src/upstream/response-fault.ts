/** What is wrong with the head of a response, beyond what the parser refuses: lies that would end in wrong bytes. */
import { type Fields, fieldLines, fieldValue, type RequestHead, type ResponseHead } from '../rfc/heads.ts'
import { parseContentRange, parseRange, type RangeSpec } from '../rfc/range.ts'

export interface Fault {
  readonly code: 'RESPONSE_PROTOCOL' | 'RESPONSE_RANGE'
  /** For the log. */
  readonly details: string
}

/** Undefined when the response may be believed. */
export function faultOf(request: RequestHead, response: ResponseHead): Fault | undefined {
  const { status, fields } = response
  const details =
    faultOfFraming(fields) ??
    (status === 304 && !isConditional(request.fields) ? 'a 304 to a request without a condition' : undefined)
  if (details !== undefined) return { code: 'RESPONSE_PROTOCOL', details }
  const lie = status === 206 ? faultOfPart(request, fields) : undefined
  return lie === undefined ? undefined : { code: 'RESPONSE_RANGE', details: lie }
}

/** The registered transfer codings beside chunked (RFC 9112 section 7), and one that RFC 2616 had. */
const OTHER_CODINGS: ReadonlySet<string> = new Set([
  'compress',
  'deflate',
  'gzip',
  'identity',
  'x-compress',
  'x-gzip',
])

/**
 * None but `chunked` was offered (there is no TE), so none is undone here, and what looks like it may be read as it by
 * others. A word that is no coding at all is a field that somebody has set by mistake, and says nothing of the body.
 */
function faultOfFraming(fields: Fields): string | undefined {
  const lines = fieldLines(fields, 'transfer-encoding')
  const value = lines.join(', ').trim().toLowerCase()
  if (lines.length === 0 || value === 'chunked') return undefined
  const isCoding = value.includes(',') || value.includes('chunk') || OTHER_CODINGS.has(value)
  return isCoding ? `transfer-encoding: ${value}, where only chunked is understood` : undefined
}

function isConditional(fields: Fields): boolean {
  return fields['if-none-match'] !== undefined || fields['if-modified-since'] !== undefined
}

/** RFC 9110 section 15.3.7.1: what was asked for and what came must fit, or bytes would stand where others belong. */
function faultOfPart(request: RequestHead, fields: Fields): string | undefined {
  const range = fieldValue(request.fields, 'range')
  // RFC 9110 section 15.3.7: a 206 answers a range request, and only GET has ranges.
  if (range === undefined || request.method !== 'GET') return 'a 206 to a request without a range'
  const asked = parseRange(range)
  const lines = fieldLines(fields, 'content-range')
  if (lines.length === 0) {
    return isMultipart(fields) ? undefined : 'a 206 that does not say which part it is'
  }
  const came = lines.length === 1 ? parseContentRange(lines[0]) : undefined
  if (came?.range === undefined) return `a 206 with content-range: ${lines.join(', ')}`
  const { first, last } = came.range
  const length = fieldValue(fields, 'content-length')
  if (length !== undefined && length !== String(last - first + 1)) {
    return `content-range: ${lines[0]} with content-length: ${length}`
  }
  const spec = asked?.length === 1 ? asked[0] : undefined
  if (spec === undefined || isPartOf(spec, first, last, came.size)) return undefined
  return `content-range: ${lines[0]}, which was not asked for`
}

/** A server may send less than asked for, but neither another place nor more. */
function isPartOf(spec: RangeSpec, first: number, last: number, size: number | undefined): boolean {
  if ('first' in spec) return first === spec.first && last <= (spec.last ?? Number.MAX_SAFE_INTEGER)
  return last - first < spec.suffix && (size === undefined || last === size - 1)
}

function isMultipart(fields: Fields): boolean {
  return /^multipart\/byteranges\b/i.test(fieldValue(fields, 'content-type') ?? '')
}
