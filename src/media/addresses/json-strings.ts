/** Finds the strings of a JSON text where they stand, so that one can be replaced and all else stays as it is. */

export interface JsonString {
  /** The names that lead to it from the root; '' stands for the places of an array. */
  readonly path: readonly string[]
  readonly value: string
  /** Of the string with its quotes. */
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

interface Container {
  readonly isArray: boolean
  /** Of the value that comes next; undefined where a name has to come first. */
  name: string | undefined
}

/** Deeper than anything that is asked for; strings below are not yielded. */
const DEEPEST = 8
const NEXT = /["{}[\],]/g

/** All string values of a text that JSON.parse takes, in their order; looks at each character once. */
export function* jsonStrings(text: string): Generator<JsonString> {
  const open: Container[] = []
  const next = new RegExp(NEXT)
  for (let match = next.exec(text); match !== null; match = next.exec(text)) {
    const container = open.at(-1)
    switch (match[0]) {
      case '{':
        open.push({ isArray: false, name: undefined })
        break
      case '[':
        open.push({ isArray: true, name: '' })
        break
      case '}':
      case ']':
        open.pop()
        break
      case ',':
        if (container?.isArray === false) container.name = undefined
        break
      default: {
        const start = match.index
        const end = stringEnd(text, start)
        next.lastIndex = end
        if (container?.isArray === false && container.name === undefined) {
          container.name = read(text.slice(start, end))
        } else if (open.length <= DEEPEST) {
          const path = open.map(({ name }) => name ?? '')
          yield { path, value: read(text.slice(start, end)), start, end }
        }
      }
    }
  }
}

function stringEnd(text: string, start: number): number {
  let at = start + 1
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote === -1) return text.length
    let backslashes = 0
    while (text[quote - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return quote + 1
    at = quote + 1
  }
}

function read(quoted: string): string {
  return String(JSON.parse(quoted))
}
