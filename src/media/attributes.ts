/** The attribute lists of HLS tags (RFC 8216 section 4.2). */

const ATTRIBUTE = /([A-Z0-9-]+)=(?:"([^"]*)"|([^",\s]*)) *(?:, *|$)/y

/**
 * The attributes of a list, quoted strings without their quotes; of a name given twice the last. What follows the
 * first malformed place is left out. Never throws; looks at each character once.
 */
export function attributesOf(list: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>()
  const text = list.trim()
  let at = 0
  while (at < text.length) {
    ATTRIBUTE.lastIndex = at
    const match = ATTRIBUTE.exec(text)
    if (match === null) break
    const [whole, name = '', quoted, plain = ''] = match
    attributes.set(name, quoted ?? plain)
    at += whole.length
  }
  return attributes
}

/** Undefined: absent, or not a number of 0 or more. */
export function numberOf(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,20}(?:\.\d{1,20})?$/.test(value) ? Number(value) : undefined
}
