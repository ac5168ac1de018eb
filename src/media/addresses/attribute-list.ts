/** Finds the quoted values in an HLS attribute list, where they stand (RFC 8216 section 4.2). */

export interface QuotedAttribute {
  readonly name: string
  readonly value: string
  /** Of the value without its quotes, in the line. */
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/**
 * Shows all quoted attributes of a line from `from` on, in their order. Of what is no attribute list it shows what was
 * one up to there: an unclosed quote ends it. Looks at each character a fixed number of times.
 */
export function eachQuotedAttribute(
  line: string,
  from: number,
  show: (attribute: QuotedAttribute) => void,
): void {
  let at = from
  while (at < line.length) {
    const equals = line.indexOf('=', at)
    if (equals === -1) return
    if (line[equals + 1] === '"') {
      const close = line.indexOf('"', equals + 2)
      if (close === -1) return
      // A place without a value, which is none of the grammar, must not become a part of the next name.
      const before = line.slice(at, equals)
      const name = before.slice(before.lastIndexOf(',') + 1).trim()
      show({ name, value: line.slice(equals + 2, close), start: equals + 2, end: close })
      at = close + 1
    } else {
      const comma = line.indexOf(',', equals)
      if (comma === -1) return
      at = comma
    }
    if (line[at] === ',') at++
  }
}
