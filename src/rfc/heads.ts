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
  /** Who asks; absent where an answer needs nobody else. */
  readonly asker?: Asker | undefined
  /** The connection it came by: whoever asks by the same one is the same viewer. Nothing else of it is for here. */
  readonly connection?: object | undefined
}

/** What only the door knows of a viewer, and those further in need when they ask on its behalf. */
export interface Asker {
  /** Its element of Forwarded (RFC 7239 section 4). */
  readonly forwarded: string
  /** Its address as X-Forwarded-For spells it. */
  readonly address: string
  /** Passes an interim response on (RFC 9110 section 15.2). Never throws; too late, or to a viewer who left, it does nothing. */
  onInterim(status: number, fields: Fields): void
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

/** Length of the body in bytes as Content-Length has it; undefined where it is not said, or what is said is none. */
export function declaredLength(fields: Fields): number | undefined {
  const length = fields['content-length']
  return typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : undefined
}

/** Where the time comes from; main.ts hands in the wall, tests a clock of their own. */
export type Clock = () => Instant

/** Whether an answer says that there is nothing here (RFC 9110 sections 15.5.5 and 15.5.11). */
export function isMissing(status: number): boolean {
  return status === 404 || status === 410
}
