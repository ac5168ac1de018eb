/** The small words of HTTP's grammar (RFC 9110 section 5.6), recognised without looking back. */
import { Token } from 'structured-headers'

/** Whether the text is a token (RFC 9110 section 5.6.2). */
export function isToken(text: string): boolean {
  if (text === '') return false
  for (let index = 0; index < text.length; index++) {
    if (!isTokenCode(text.charCodeAt(index))) return false
  }
  return true
}

/** Whether the text is one or more ASCII digits. */
export function isDigits(text: string): boolean {
  if (text === '') return false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 48 || code > 57) return false
  }
  return true
}

/** The members of a list whose elements hold no quoted strings, trimmed, empty ones left out (RFC 9110 section 5.6.1). */
export function simpleList(value: string | undefined): string[] {
  if (value === undefined) return []
  return value
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '')
}

/** Optional white space is a space or a tab, nothing else (RFC 9110 section 5.6.3). */
export function isWhiteSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

/** The text as a structured token where it can be one (RFC 9651 section 3.3.4), else as a structured string. */
export function tokenOrString(text: string): Token | string {
  return /^[A-Za-z*][\w!#$%&'*+\-.^`|~:/]*$/.test(text) ? new Token(text) : printableAscii(text)
}

/** The text as a structured string can hold it (RFC 9651 section 3.3.3): all but printable ASCII becomes `?`. */
export function printableAscii(text: string): string {
  return text.replace(/[^ -~]/g, '?')
}

function isTokenCode(code: number): boolean {
  if (code >= 97 && code <= 122) return true // a-z
  if (code >= 65 && code <= 90) return true // A-Z
  if (code >= 48 && code <= 57) return true // 0-9
  switch (code) {
    case 33: // !
    case 35: // #
    case 36: // $
    case 37: // %
    case 38: // &
    case 39: // '
    case 42: // *
    case 43: // +
    case 45: // -
    case 46: // .
    case 94: // ^
    case 95: // _
    case 96: // `
    case 124: // |
    case 126: // ~
      return true
  }
  return false
}
