/** Text as it stands in XML, and as it is meant. */

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const REFERENCE = /&([^;&]{0,16});|&/g
/** Pieces of content that are no plain text. */
const MARKUP = /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>/g
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Undefined: it names an entity that XML does not have by itself. */
export function unescapeXml(raw: string): string | undefined {
  if (!raw.includes('&')) return raw
  let isKnown = true
  const text = raw.replace(REFERENCE, (_reference, name: string | undefined) => {
    const character = name === undefined ? undefined : characterOf(name)
    if (character === undefined) isKnown = false
    return character ?? ''
  })
  return isKnown ? text : undefined
}

/** For attribute values in either quotes, and for content. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)
}

/** What the content of an element without children says: its CDATA sections with it, its comments without. */
export function contentText(raw: string): string | undefined {
  if (!raw.includes('<')) return unescapeXml(raw)
  let text = ''
  let from = 0
  for (const match of raw.matchAll(MARKUP)) {
    const before = unescapeXml(raw.slice(from, match.index))
    if (before === undefined) return undefined
    text += before + (match[1] ?? '')
    from = match.index + match[0].length
  }
  const rest = unescapeXml(raw.slice(from))
  return rest === undefined ? undefined : text + rest
}

function characterOf(name: string): string | undefined {
  if (Object.hasOwn(NAMED, name)) return NAMED[name]
  const hexadecimal = /^#x([0-9a-f]{1,6})$/i.exec(name)?.[1]
  const decimal = /^#([0-9]{1,7})$/.exec(name)?.[1]
  const code = hexadecimal !== undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal ?? Number.NaN)
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined
}
