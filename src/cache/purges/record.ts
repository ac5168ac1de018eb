/** How the purges in force are noted, so that a restart does not bring back what they cover. */
import { isCount } from '../../purge/purge-rule.ts'
import type { Held, Mark, Rules } from './rules.ts'

/** So many values stand in one line, when all are written anew. */
const IN_ONE_LINE = 256

const WHATS: readonly Held['what'][] = ['key', 'prefix', 'tag', 'tagged', 'all']

/** One line: purges, how far those of issuers go, or the mark that the last fills set out under. */
export interface Note {
  readonly held: readonly Held[]
  readonly positions: Readonly<Record<string, number>>
  readonly mark: Mark
}

/** Example: `{"mark":17,"positions":{"paris-1:k3":4},"held":[["prefix","http://origin/live/",false,17]]}`. */
export function noteOf({ held, positions, mark }: Note): string {
  return JSON.stringify({
    mark,
    positions,
    held: held.map(({ what, value, isSoft, mark: of }) => [what, value, isSoft, of]),
  })
}

/** Undefined: it is none. */
export function readNote(line: string): Note | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null) return undefined
    const { mark, positions, held }: Partial<Record<string, unknown>> = { ...value }
    if (!isCount(mark) || !Array.isArray(held) || typeof positions !== 'object' || positions === null)
      return undefined
    const read = held.map(heldOf)
    const known = Object.entries(positions).filter((entry): entry is [string, number] => isCount(entry[1]))
    if (read.includes(undefined)) return undefined
    return { mark, positions: Object.fromEntries(known), held: read.filter((one) => one !== undefined) }
  } catch {
    return undefined
  }
}

/** All that is in force, in few lines. */
export function notesOf(rules: Rules, positions: Note['positions'], mark: Mark): string[] {
  const all = [...rules.list()]
  const lines = [noteOf({ held: [], positions, mark })]
  for (let start = 0; start < all.length; start += IN_ONE_LINE)
    lines.push(noteOf({ held: all.slice(start, start + IN_ONE_LINE), positions: {}, mark }))
  return lines
}

function heldOf(value: unknown): Held | undefined {
  if (!Array.isArray(value)) return undefined
  const [name, text, isSoft, mark]: unknown[] = value
  const what = WHATS.find((one) => one === name)
  if (what === undefined || typeof text !== 'string' || typeof isSoft !== 'boolean' || !isCount(mark))
    return undefined
  return { what, value: text, isSoft, mark }
}
