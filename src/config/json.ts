/** Reads JSON and says by line and column what is wrong with it. */
import type { Problem } from './problem.ts'

/** `value` is undefined when there is a problem. A key that is given twice is one: JSON.parse would take the last. */
export function parseJson(text: string, fileName: string): { value: unknown; problems: readonly Problem[] } {
  const scan = new Scan(text)
  try {
    scan.document()
    return { value: JSON.parse(text), problems: [] }
  } catch (error) {
    if (!(error instanceof Unexpected)) throw error
    const before = text.slice(0, error.at).split('\n')
    const path = `${fileName}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`
    return { value: undefined, problems: [{ path, expected: error.expected, came: error.came }] }
  }
}

class Unexpected extends Error {
  readonly at: number
  readonly expected: string
  readonly came: string

  constructor(at: number, expected: string, came: string) {
    super(expected)
    this.at = at
    this.expected = expected
    this.came = came
  }
}

const SPACE = /[ \t\n\r]*/y
// RFC 8259 section 7 forbids the control characters of ASCII alone.
const STRING = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy
const SCALAR = /(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)(?![\w.+-])/y

/** RFC 8259, for the sake of the place where it is broken. */
class Scan {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): void {
    this.#value('a value')
    if (this.#next() !== undefined) this.#refuse('nothing more after the value')
  }

  #value(expected: string): void {
    switch (this.#next()) {
      case '{':
        this.#object()
        return
      case '[':
        this.#list()
        return
      case '"':
        this.#string(expected)
        return
      default:
        if (this.#take(SCALAR) === undefined) this.#refuse(expected)
    }
  }

  #object(): void {
    const keys = new Set<string>()
    this.#at++
    if (this.#closes('}')) return
    do {
      if (this.#next() !== '"')
        this.#refuse(keys.size === 0 ? 'a key in double quotes or }' : 'a key in double quotes')
      const at = this.#at
      const key = this.#string('a key')
      if (keys.has(key)) throw new Unexpected(at, 'each key once', key)
      keys.add(key)
      if (this.#next() !== ':') this.#refuse(`: after the key ${key}`)
      this.#at++
      this.#value('a value')
    } while (this.#goesOn('}'))
  }

  #list(): void {
    this.#at++
    if (this.#closes(']')) return
    do this.#value('a value')
    while (this.#goesOn(']'))
  }

  #closes(end: string): boolean {
    if (this.#next() !== end) return false
    this.#at++
    return true
  }

  #goesOn(end: string): boolean {
    const next = this.#next()
    if (next !== ',' && next !== end) this.#refuse(`, or ${end}`)
    this.#at++
    return next === ','
  }

  #string(expected: string): string {
    const text = this.#take(STRING)
    return (
      text ?? this.#refuse(`${expected} as a string with closing quotes, on one line, with valid escapes`)
    )
  }

  /** The next character that is no white space; undefined at the end. */
  #next(): string | undefined {
    this.#take(SPACE)
    return this.#text[this.#at]
  }

  #take(form: RegExp): string | undefined {
    form.lastIndex = this.#at
    const text = form.exec(this.#text)?.[0]
    this.#at += text?.length ?? 0
    return text
  }

  #refuse(expected: string): never {
    const came = this.#text
      .slice(this.#at)
      .split(/[\r\n]/, 1)[0]
      ?.slice(0, 20)
    throw new Unexpected(
      this.#at,
      expected,
      this.#at >= this.#text.length ? 'the end of the file' : `${came}`,
    )
  }
}
