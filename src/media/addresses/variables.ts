/** The variables of an HLS playlist (EXT-X-DEFINE), as far as they decide where a reference leads. */
import type { Place } from './place.ts'

/** A variable in front of the path, where no one can tell the host without its value. */
const DECISIVE = /^(?:[a-z][a-z0-9+.-]*:)?(?:\/\/[^/?#]*)?\{\$/i
/** Characters; what is longer is no address, and must not be copied into every line. */
const LONGEST_VALUE = 4096
/** A host, a path and some to spare; the others stay as they are written. */
const MOST_EXPANSIONS = 8

interface Definition {
  readonly value: string
  /** As viewers read it. */
  readonly localised: string
}

export class Variables {
  readonly #place: Place
  readonly #definitions = new Map<string, Definition>()

  constructor(place: Place) {
    this.#place = place
  }

  /**
   * Takes note of a NAME with its VALUE. Returns what the value must become: undefined unless it begins an http address
   * of ours. IMPORT has it in other playlists, where nobody sees it again.
   */
  define(name: string, value: string): string | undefined {
    if (value.length > LONGEST_VALUE) return undefined
    const localised = /^https?:\/\//i.test(value) ? this.#localisePrefix(value) : undefined
    this.#definitions.set(name, { value, localised: localised ?? value })
    return localised
  }

  /**
   * What a reference must become, when a variable stands where the host is decided: with the values in place of the
   * variables, unless what viewers make of it leads there by itself. Undefined: it stays.
   */
  localise(written: string, form: 'relative' | 'absolute'): string | undefined {
    if (!written.includes('{$') || !DECISIVE.test(written)) return this.#place.localise(written, form)
    const meant = this.#expand(written, ({ value }) => value)
    const read = this.#expand(written, ({ localised }) => localised)
    const wanted = this.#place.localise(meant, form) ?? meant
    return wanted === read ? undefined : wanted
  }

  /** What follows the variable begins with a slash more often than not, so the value may be all but its last slash. */
  #localisePrefix(value: string): string | undefined {
    if (value.endsWith('/') || /[?#]/.test(value)) return this.#place.localise(value)
    const localised = this.#place.localise(`${value}/`)
    return localised?.endsWith('/') ? localised.slice(0, -1) : undefined
  }

  #expand(written: string, choose: (definition: Definition) => string): string {
    let expanded = ''
    let from = 0
    const pattern = /\{\$([A-Za-z0-9_-]{1,256})\}/g
    for (let count = 0; count < MOST_EXPANSIONS; count++) {
      const match = pattern.exec(written)
      if (match === null) break
      const definition = this.#definitions.get(match[1] ?? '')
      expanded +=
        written.slice(from, match.index) + (definition === undefined ? match[0] : choose(definition))
      from = pattern.lastIndex
    }
    return expanded + written.slice(from)
  }
}
