/** What is wrong with the head of a response, beyond what the parser refuses: lies that would end in wrong bytes. */
import { type Fields, fieldLines, fieldValue, type RequestHead, type ResponseHead } from '../rfc/heads.ts'
import { parseContentRange, parseRange, type RangeSpec } from '../rfc/range.ts'

/** A sentence for the log; undefined when the response may be believed. */
export function faultOf(request: RequestHead, response: ResponseHead): string | undefined {
  return faultOfFraming(response.fields) ?? faultOfStatus(request, response)
}

/** Only `chunked` was offered (there is no TE), and what else there is ends with its connection, cut or not. */
function faultOfFraming(fields: Fields): string | undefined {
  const codings = fieldLines(fields, 'transfer-encoding')
  if (codings.length === 0) return undefined
  if (codings.length === 1 && codings[0]?.trim().toLowerCase() === 'chunked') return undefined
  return `transfer-encoding: ${codings.join(', ')}, where only chunked is understood`
}

function faultOfStatus(request: RequestHead, response: ResponseHead): string | undefined {
  const { status } = response
  if (status === 304)
    return isConditional(request.fields) ? undefined : 'a 304 to a request without a condition'
  if (status !== 206) return undefined
  const asked = fieldValue(request.fields, 'range')
  // RFC 9110 section 15.3.7: a 206 answers a range request, and only GET has ranges.
  if (asked === undefined || request.method !== 'GET') return 'a 206 to a request without a range'
  return faultOfPart(parseRange(asked), response.fields)
}

function isConditional(fields: Fields): boolean {
  return fields['if-none-match'] !== undefined || fields['if-modified-since'] !== undefined
}

/** RFC 9110 section 15.3.7.1: what was asked for and what came must fit, or bytes would stand where others belong. */
function faultOfPart(asked: readonly RangeSpec[] | undefined, fields: Fields): string | undefined {
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
