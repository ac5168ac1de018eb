/** The purges in force: what of the stored responses they cover, told without looking for any of them. */
import { tagsOf } from '../../purge/tags.ts'
import type { StoredHead } from '../../store/store.ts'
import { addressOf, type PurgeScope } from './purge-scope.ts'

/**
 * - `good`: no purge covers it.
 * - `stale`: it is to be validated before it is used, and may stand in where the origin fails.
 * - `gone`: it is as if it were not there.
 */
export type Standing = 'good' | 'stale' | 'gone'

/** Of all purges and all fills of this node an order: a purge covers what was asked for under a lower mark. */
export type Mark = number

/** The highest marks that something is covered under; 0: it is not. */
export interface Marks {
  readonly gone: Mark
  readonly stale: Mark
}

/** A purge in force. `tagged`: whatever has any tag at all. */
export interface Held {
  readonly what: 'key' | 'prefix' | 'tag' | 'tagged' | 'all'
  readonly value: string
  readonly isSoft: boolean
  readonly mark: Mark
}

export interface RuleBounds {
  readonly keys: number
  readonly prefixes: number
  readonly tags: number
  /** In characters, of all values together. */
  readonly text: number
}

const BOUNDS: RuleBounds = { keys: 16_384, prefixes: 2_048, tags: 8_192, text: 4 * 1024 * 1024 }
const NONE: Marks = { gone: 0, stale: 0 }

/** What was found out about a head, and which purges were known then. */
interface Seen {
  readonly address: string
  readonly tags: readonly string[]
  through: Mark
  standing: Standing
}

/**
 * What is looked up costs a look into a map for each stored response, however many purges there are: once it was compared
 * with all of them, it is compared with newer ones only. When there are too many, old ones are merged into wider ones:
 * more goes then than was asked for, never less.
 */
export class Rules {
  readonly #bounds: RuleBounds
  readonly #keys = new Map<string, Marks>()
  readonly #tags = new Map<string, Marks>()
  /** In the order of their marks. */
  #prefixes: Held[] = []
  #tagged = NONE
  #all = NONE
  #newest: Mark = 0
  #text = 0
  #merged = 0
  readonly #seen = new WeakMap<StoredHead, Seen>()

  constructor(bounds = BOUNDS) {
    this.#bounds = bounds
  }

  get size(): number {
    const floors = [this.#tagged, this.#all].filter(({ gone, stale }) => gone + stale > 0)
    return this.#keys.size + this.#tags.size + this.#prefixes.length + floors.length
  }

  /** How often old ones were merged. */
  get merged(): number {
    return this.#merged
  }

  add(scope: PurgeScope, isSoft: boolean, mark: Mark): void {
    for (const value of scope.keys) this.put({ what: 'key', value, isSoft, mark })
    for (const value of scope.prefixes) this.put({ what: 'prefix', value, isSoft, mark })
    for (const value of scope.tags) this.put({ what: 'tag', value, isSoft, mark })
    if (scope.isAll) this.put({ what: 'all', value: '', isSoft, mark })
  }

  put(held: Held): void {
    const { what, value } = held
    this.#newest = Math.max(this.#newest, held.mark)
    switch (what) {
      case 'key':
        this.#putIn(this.#keys, held)
        break
      case 'tag':
        this.#putIn(this.#tags, held)
        break
      case 'prefix':
        this.#text -= this.#prefixes.length * value.length
        this.#prefixes = this.#prefixes.filter((one) => one.value !== value || !isWithin(one, held))
        this.#prefixes.push(held)
        this.#text += this.#prefixes.length * value.length
        break
      case 'tagged':
        this.#tagged = raised(this.#tagged, held)
        break
      case 'all':
        this.#all = raised(this.#all, held)
    }
    if (this.#isFull) this.#merge()
  }

  standing(head: StoredHead): Standing {
    const mark = head.mark ?? 0
    if (mark >= this.#newest) return 'good'
    let seen = this.#seen.get(head)
    if (seen === undefined) {
      const address = addressOf(head.key)
      seen = { address, tags: tagsOf(head.fields), through: mark, standing: 'good' }
      this.#seen.set(head, seen)
    }
    if (seen.through < this.#newest && seen.standing !== 'gone') {
      seen.standing = worse(seen.standing, this.#compared(head.key, seen))
      seen.through = this.#newest
    }
    return seen.standing
  }

  /** Deleted for good is all that these cover: exact ones up to `keys`, wide ones up to `wide`. */
  retire(keys: Mark, wide: Mark): void {
    for (const [value, { gone, stale }] of this.#keys) {
      if (gone > keys) break
      if (gone > 0) this.#drop(this.#keys, value, stale)
    }
    for (const [value, { gone, stale }] of this.#tags)
      if (gone > 0 && gone <= wide) this.#drop(this.#tags, value, stale)
    this.#prefixes = this.#prefixes.filter(({ isSoft, mark }) => isSoft || mark > wide)
    if (this.#tagged.gone <= wide) this.#tagged = { ...this.#tagged, gone: 0 }
    if (this.#all.gone <= wide) this.#all = { ...this.#all, gone: 0 }
    this.#text = this.#counted()
  }

  /** All that are in force. */
  *list(): Generator<Held> {
    yield* heldIn('all', [['', this.#all]])
    yield* heldIn('tagged', [['', this.#tagged]])
    yield* this.#prefixes
    yield* heldIn('tag', this.#tags)
    yield* heldIn('key', this.#keys)
  }

  #compared(key: string, { address, tags, through }: Seen): Standing {
    let marks = atLeast(this.#all, this.#keys.get(address))
    if (tags.length > 0) marks = atLeast(marks, this.#tagged)
    for (const tag of tags) marks = atLeast(marks, this.#tags.get(tag))
    if (marks.gone > through) return 'gone'
    let isStale = marks.stale > through
    for (let index = this.#prefixes.length - 1; index >= 0; index--) {
      const held = this.#prefixes[index]
      if (held === undefined || held.mark <= through) break
      if (!key.startsWith(held.value)) continue
      if (!held.isSoft) return 'gone'
      isStale = true
    }
    return isStale ? 'stale' : 'good'
  }

  /** At the end, so that those purged longest ago stand first. */
  #putIn(map: Map<string, Marks>, held: Held): void {
    const before = map.get(held.value)
    if (before === undefined) this.#text += held.value.length
    map.delete(held.value)
    map.set(held.value, raised(before ?? NONE, held))
  }

  #drop(map: Map<string, Marks>, value: string, stale: Mark): void {
    if (stale > 0) map.set(value, { gone: 0, stale })
    else map.delete(value)
  }

  get #isFull(): boolean {
    const { keys, prefixes, tags, text } = this.#bounds
    const { length } = this.#prefixes
    return this.#keys.size > keys || length > prefixes || this.#tags.size > tags || this.#text > text
  }

  #merge(): void {
    this.#merged++
    const { keys, prefixes, tags, text } = this.#bounds
    const isLong = this.#text > text
    if (isLong || this.#tags.size > tags) {
      for (const [value, marks] of oldestHalf(this.#tags)) {
        this.#tagged = atLeast(this.#tagged, marks)
        this.#tags.delete(value)
      }
    }
    const wider: Held[] = []
    if (isLong || this.#keys.size > keys) {
      const oldest = oldestHalf(this.#keys)
      for (const [value] of oldest) this.#keys.delete(value)
      wider.push(...[...heldIn('key', oldest)].map(widened))
    }
    const all = distinct([...wider, ...this.#prefixes])
    this.#prefixes = isLong || all.length > prefixes ? widenedTo(all, prefixes / 2) : all
    this.#text = this.#counted()
  }

  #counted(): number {
    let text = 0
    for (const { value } of this.list()) text += value.length
    return text
  }
}

function raised(marks: Marks, { isSoft, mark }: Held): Marks {
  return atLeast(marks, isSoft ? { gone: 0, stale: mark } : { gone: mark, stale: 0 })
}

function atLeast(one: Marks, other: Marks | undefined): Marks {
  if (other === undefined) return one
  return { gone: Math.max(one.gone, other.gone), stale: Math.max(one.stale, other.stale) }
}

function worse(one: Standing, other: Standing): Standing {
  if (one === 'gone' || other === 'gone') return 'gone'
  return one === 'stale' ? one : other
}

function* heldIn(what: Held['what'], entries: Iterable<readonly [string, Marks]>): Generator<Held> {
  for (const [value, { gone, stale }] of entries) {
    if (gone > 0) yield { what, value, isSoft: false, mark: gone }
    if (stale > 0) yield { what, value, isSoft: true, mark: stale }
  }
}

function oldestHalf(map: ReadonlyMap<string, Marks>): (readonly [string, Marks])[] {
  return [...map].slice(0, Math.ceil(map.size / 2))
}

/** Whether the later one of the same value says all that the earlier one does. */
function isWithin(earlier: Held, later: Held): boolean {
  return later.mark >= earlier.mark && (earlier.isSoft || !later.isSoft)
}

/** The folder it lies in, as a prefix; of the outermost one the empty one, which covers everything. */
function widened(held: Held): Held {
  const { value } = held
  const path = value.split('?', 1)[0] ?? ''
  const folder = path.slice(0, path.slice(0, -1).lastIndexOf('/') + 1)
  return { ...held, what: 'prefix', value: folder === value ? '' : folder }
}

/** The older half of them as wide as it takes for so many to be left. */
function widenedTo(held: readonly Held[], most: number): Held[] {
  const half = Math.ceil(held.length / 2)
  const newer = held.slice(half)
  let older = held.slice(0, half)
  while (older.length > Math.max(1, most / 2) && older.some(({ value }) => value !== ''))
    older = distinct(older.map(widened))
  return distinct([...older, ...newer])
}

/** In the order of their marks, one for each prefix and softness. */
function distinct(held: readonly Held[]): Held[] {
  const latest = new Map<string, Held>()
  for (const one of held) {
    const name = `${one.isSoft} ${one.value}`
    const before = latest.get(name)
    if (before === undefined || before.mark < one.mark) latest.set(name, one)
  }
  return [...latest.values()].sort((one, other) => one.mark - other.mark)
}
