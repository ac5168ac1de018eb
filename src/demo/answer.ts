/** How HTTP answers a GET or HEAD of a resource: conditions and byte ranges, as a pure function. */
import type { Fields } from '../rfc/heads.ts'
import { fieldValue } from '../rfc/heads.ts'
import type { Resource } from './resource.ts'

export interface Answer {
  readonly status: number
  readonly fields: Readonly<Record<string, string>>
  /** What a GET sends; a HEAD sends the same fields without it. */
  readonly body: Uint8Array
}

const NOTHING = new Uint8Array(0)

export function answer(resource: Resource, method: string, request: Fields): Answer {
  const { bytes, type, etag, cacheControl } = resource
  const size = bytes.byteLength
  const about: Record<string, string> = { etag, 'last-modified': lastModified(resource) }
  if (cacheControl !== undefined) about['cache-control'] = cacheControl
  if (isUnchanged(resource, request)) return { status: 304, fields: about, body: NOTHING }

  const fields = { ...about, 'content-type': type, 'accept-ranges': 'bytes' }
  const range = method === 'GET' ? rangeOf(resource, request) : undefined
  if (range === 'unsatisfiable') {
    return {
      status: 416,
      fields: { 'content-range': `bytes */${size}`, 'content-length': '0' },
      body: NOTHING,
    }
  }
  if (range === undefined) {
    return { status: 200, fields: { ...fields, 'content-length': String(size) }, body: bytes }
  }
  const { first, last } = range
  return {
    status: 206,
    fields: {
      ...fields,
      'content-range': `bytes ${first}-${last}/${size}`,
      'content-length': String(last - first + 1),
    },
    body: bytes.subarray(first, last + 1),
  }
}

/** Undefined: send all of it. */
function rangeOf(
  resource: Resource,
  request: Fields,
): { first: number; last: number } | 'unsatisfiable' | undefined {
  const value = fieldValue(request, 'range')
  if (value === undefined || !matchesIfRange(resource, request)) return undefined
  // Several ranges, other units and nonsense are ignored, as RFC 9110 section 14.2 allows.
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(value)
  if (match === null) return undefined
  const [, from = '', to = ''] = match
  const size = resource.bytes.byteLength
  if (from === '') {
    if (to === '') return undefined
    return Number(to) === 0 || size === 0
      ? 'unsatisfiable'
      : { first: Math.max(0, size - Number(to)), last: size - 1 }
  }
  if (to !== '' && Number(to) < Number(from)) return undefined
  if (Number(from) >= size) return 'unsatisfiable'
  return { first: Number(from), last: to === '' ? size - 1 : Math.min(Number(to), size - 1) }
}

/** RFC 9110 section 13.1.5: the strong comparison, or the very date. */
function matchesIfRange(resource: Resource, request: Fields): boolean {
  const value = fieldValue(request, 'if-range')
  return value === undefined || value === resource.etag || value === lastModified(resource)
}

/** RFC 9110 section 13.2.2: a date counts only where no entity tag was given. */
function isUnchanged(resource: Resource, request: Fields): boolean {
  const tags = fieldValue(request, 'if-none-match')
  if (tags !== undefined) {
    return tags
      .split(',')
      .some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === resource.etag)
  }
  const since = Date.parse(fieldValue(request, 'if-modified-since') ?? '')
  return Math.floor(resource.lastModifiedAt / 1000) * 1000 <= since
}

function lastModified({ lastModifiedAt }: Resource): string {
  return new Date(lastModifiedAt).toUTCString()
}
