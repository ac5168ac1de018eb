/** What the law looks at: instants, and the heads of requests and responses as plain values. */

/** Milliseconds since the epoch; always handed in, never read off the wall. */
export type Instant = number

/**
 * Header fields by lower-case name. A name that came on several lines has an array, in the order of arrival
 * (RFC 9110 section 5.3). The values are the wire's own.
 */
export interface Fields {
  readonly [name: string]: string | readonly string[] | undefined
}

export interface RequestHead {
  readonly method: string
  /** Origin-form target, path and query byte for byte as the viewer sent them. */
  readonly target: string
  readonly fields: Fields
}

export interface ResponseHead {
  readonly status: number
  readonly fields: Fields
}

/** A response head and when it travelled: RFC 9111 section 4.2.3 needs both instants for its age. */
export interface ReceivedHead extends ResponseHead {
  readonly requestedAt: Instant
  readonly receivedAt: Instant
}

/** All lines of a field as one value (RFC 9110 section 5.3), or undefined when it is absent. */
export function fieldValue(fields: Fields, name: string): string | undefined {
  const value = fields[name]
  return value === undefined || typeof value === 'string' ? value : value.join(', ')
}

/** The lines of a field as they came; none when it is absent. */
export function fieldLines(fields: Fields, name: string): readonly string[] {
  const value = fields[name]
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/** Where the time comes from; main.ts hands in the wall, tests a clock of their own. */
export type Clock = () => Instant
