/** Purges on this node: in force at once, noted, and then what they cover is deleted. */
import { issuerOf, type PurgeOrder, type PurgeRule } from '../../purge/purge-rule.ts'
import type { Notes } from '../../store/notes.ts'
import type { CacheKey, StoredHead } from '../../store/store.ts'
import type { CacheContext } from '../journey.ts'
import { cacheKey } from '../key.ts'
import type { Applied, PurgeStats } from './applied.ts'
import { contentsOf } from './contents.ts'
import { inRules, isSayable } from './dealt-addresses.ts'
import { Noting } from './noting.ts'
import { Positions } from './positions.ts'
import { type PurgeScope, scopeOf } from './purge-scope.ts'
import { readNote } from './record.ts'
import { Removal } from './removal.ts'
import { type Mark, Rules } from './rules.ts'
import { Looks, UnderWay } from './under-way.ts'

/** How long an exact purge is remembered after all is deleted: what a name of it is made of may still be on its way. */
const REMEMBERED_MS = 10_000
/** How many purges in force are gone through for each that comes, on average. */
const RULES_A_PURGE = 64

/** `later`: with others, as whoever handed in the rule remembers it until then. */
type Noted = 'at once' | 'later'

interface Covering {
  readonly by?: string
  /** What is covered is to be read before it is deleted. */
  readonly isRead?: boolean
  readonly noted?: Noted
  readonly onInForce?: (() => void) | undefined
}

/** `store`: what lies there, purged or not. */
export interface PurgesContext
  extends Pick<
    CacheContext,
    'store' | 'streams' | 'manifests' | 'clock' | 'node' | 'issuer' | 'routes' | 'routeOf'
  > {
  readonly notes: Notes
  /** Deletes the slices of a body. */
  readonly forgetSlices: (head: StoredHead) => Promise<void>
}

export class Purges {
  readonly rules = new Rules()
  /** Into the store, behind the fence. */
  readonly looks = new Looks()
  readonly #context: PurgesContext
  readonly #underWay = new UnderWay()
  readonly #positions = new Positions()
  readonly #noting: Noting
  readonly #removal: Removal
  readonly #ruleListeners: ((rule: PurgeRule) => void)[] = []
  readonly #scopeListeners: ((scope: PurgeScope, isSoft: boolean) => void)[] = []
  /** Numbers of an earlier life may have been given out and not noted, so each has a name of its own. */
  readonly #by: string
  #sequence = 0
  #mark: Mark = 0
  /** Up to these marks all is deleted, and when the looks that began before that have ended it is done with. */
  #done: { readonly keys: Mark; readonly wide: Mark; readonly looks: number } | undefined
  #issued = 0
  #received = 0
  /** Purges since that was done with which could be. */
  #untidied = 0

  constructor(context: PurgesContext) {
    this.#context = context
    this.#by = context.issuer ?? issuerOf(context.node)
    this.#noting = new Noting(context.notes, this.#positions)
    this.#removal = new Removal(context.store, this.rules, context.forgetSlices)
    this.#remember()
    if (this.rules.size > 0) void this.#removal.resume(this.#mark).then(() => this.#tidy())
  }

  /** Who gives out the rules of this node, for as long as this process lives. */
  get by(): string {
    return this.#by
  }

  /** A fill sets out: what it brings is covered by the purges that come from now on. */
  depart(): Mark {
    this.#underWay.depart(this.#mark)
    return this.#mark
  }

  /** It has landed, and nothing more will come of it. */
  arrive(mark: Mark): void {
    this.#underWay.arrive(mark)
  }

  /** Whether no purge covers what has this head. */
  isGood(head: StoredHead): boolean {
    return this.rules.standing(head) === 'good'
  }

  /** Whether a purge has taken away what has this head. */
  isGone(head: StoredHead): boolean {
    return this.rules.standing(head) === 'gone'
  }

  /** Hears each rule that this node gives out, in the turn in which it is in force here, and while that is noted; must not throw. */
  onPurge(listener: (rule: PurgeRule) => void): void {
    this.#ruleListeners.push(listener)
  }

  /** Hears what is covered in the turn in which it is; must not throw. */
  onScope(listener: (scope: PurgeScope, isSoft: boolean) => void): void {
    this.#scopeListeners.push(listener)
  }

  /** Up to which number all rules of an issuer are in force here; 0: none is known. */
  sequenceOf(by: string): number {
    return this.#positions.through(by)
  }

  /** The same of all issuers. */
  positions(): Readonly<Record<string, number>> {
    return this.#positions.list()
  }

  /**
   * Whoever keeps the log says that the rules of an issuer up to here are no more to be had: what was asked for before now
   * is validated before it is used again.
   */
  async skipTo(by: string, sequence: number): Promise<void> {
    this.#positions.skipTo(by, sequence)
    await this.distrust()
  }

  /** The same, whoever gave out what may have been missed. */
  async distrust(): Promise<void> {
    const mark = this.#nextMark()
    await this.#cover({ keys: new Set(), prefixes: [], tags: new Set(), isAll: true }, true, mark)
  }

  /** On the order of an operator of this node. In force when this returns its promise; that settles when all but the disk's sweep is done. */
  async issue(order: PurgeOrder): Promise<Applied> {
    const sequence = ++this.#sequence
    const rule: PurgeRule = { ...order, sequence, by: this.#by, at: this.#context.clock() }
    this.#issued++
    const applied = await this.#apply(rule, 'at once', () => {
      for (const listener of this.#ruleListeners) listener(rule)
    })
    if (order.kind !== 'stream') return applied
    return this.#ofStreams(order, applied)
  }

  /**
   * A rule from another node. Applied once for each issuer and number, in whatever order they come; in force as `issue`. Who
   * hands it in remembers it across a kill until this settles: it is noted with others.
   */
  async apply(rule: PurgeRule): Promise<Applied> {
    // What a stream has is not looked for before it is noted that the stream is purged.
    const noted = rule.kind === 'stream' ? 'at once' : 'later'
    const applied = await this.#apply(rule, noted, () => this.#received++)
    if (!applied.isNew) return applied
    // What is known of the stream here; whoever gave it out names what is known there.
    if (rule.kind === 'stream') await this.#coverContents(rule, applied)
    return applied
  }

  stats(): PurgeStats {
    return {
      issued: this.#issued,
      received: this.#received,
      deleted: this.#removal.deleted,
      rules: this.rules.size,
      merged: this.rules.merged,
      sweeps: this.#removal.sweeps,
      unsaved: this.#noting.unsaved,
    }
  }

  async #apply(rule: PurgeRule, noted: Noted, onInForce?: () => void): Promise<Applied> {
    const { by, sequence, soft } = rule
    const known = { sequence, by, isNew: false, deleted: 0, isSaved: true }
    if (!this.#positions.take(by, sequence)) return known
    const mark = this.#nextMark()
    const keyOf = (target: string): CacheKey | undefined => this.#keyOf(target)
    const scope = scopeOf(rule, this.#context.routes, keyOf)
    // The manifests of a stream are read before they are deleted.
    const isRead = rule.kind === 'stream'
    const { deleted, isSaved } = await this.#cover(scope, soft, mark, { by, isRead, noted, onInForce })
    return { ...known, isNew: true, deleted, isSaved }
  }

  /** What a stream has is given out as addresses, for other nodes may not know its manifests. */
  async #ofStreams(order: PurgeOrder, applied: Applied): Promise<Applied> {
    const { targets, isComplete } = await this.#contents(order)
    let last: Applied = applied
    let { deleted, isSaved } = applied
    const { soft } = order
    const sayable = targets.filter(isSayable)
    for (const values of inRules(sayable)) {
      last = await this.issue({ kind: 'url', values, soft })
      deleted += last.deleted
      isSaved &&= last.isSaved
    }
    if (sayable.length < targets.length) await this.#coverTargets(targets, soft, applied.by)
    const isAll = isComplete && sayable.length === targets.length
    return { ...last, deleted, isSaved, listed: sayable.length, isComplete: isAll }
  }

  async #coverContents(order: PurgeOrder, applied: Applied): Promise<void> {
    const { targets } = await this.#contents(order)
    await this.#coverTargets(targets, order.soft, applied.by)
  }

  async #coverTargets(targets: readonly string[], isSoft: boolean, by: string): Promise<void> {
    const keys = targets.map((target) => this.#keyOf(target)).filter((key) => key !== undefined)
    const scope = { keys: new Set(keys), prefixes: [], tags: new Set<string>(), isAll: false }
    await this.#cover(scope, isSoft, this.#nextMark(), { by })
  }

  async #contents({ values }: PurgeOrder): Promise<{ targets: readonly string[]; isComplete: boolean }> {
    const keyOf = (target: string): CacheKey | undefined => this.#keyOf(target)
    const targets = new Set<string>()
    let isWhole = true
    for (const value of values) {
      const found = await contentsOf({ ...this.#context, keyOf }, value)
      for (const target of found.targets) targets.add(target)
      isWhole &&= found.isComplete
    }
    return { targets: [...targets], isComplete: isWhole }
  }

  async #cover(
    scope: PurgeScope,
    isSoft: boolean,
    mark: Mark,
    { by, isRead = false, noted = 'at once', onInForce }: Covering = {},
  ): Promise<{ deleted: number; isSaved: boolean }> {
    this.rules.add(scope, isSoft, mark)
    for (const listener of this.#scopeListeners) listener(scope, isSoft)
    const removed = isSoft || isRead ? 0 : this.#removal.remove(scope, mark)
    const saved = this.#noting.save({ scope, isSoft, mark, by }, noted)
    onInForce?.()
    const isSaved = await saved
    const deleted = await removed
    this.#tidy()
    return { deleted, isSaved }
  }

  #keyOf(target: string): CacheKey | undefined {
    const route = this.#context.routeOf(target)
    return route === undefined ? undefined : cacheKey(route, target)
  }

  /** Grows with each purge, and across restarts as far as the clock does: no mark is ever given out twice. */
  #nextMark(): Mark {
    this.#mark = Math.max(this.#mark + 1, this.#context.clock() * 1000)
    return this.#mark
  }

  /** Lets go of what has been deleted wholly, and of notes that nobody needs any more. */
  #tidy(): void {
    // All in force are gone through for it, so that it is not done at each purge when they are many.
    if (++this.#untidied < this.rules.size / RULES_A_PURGE) return
    this.#untidied = 0
    const { clock } = this.#context
    const landed = this.#underWay.oldest ?? this.#mark
    const remembered = (clock() - REMEMBERED_MS) * 1000
    this.#done ??= {
      keys: Math.min(landed, this.#removal.doneTo(this.#mark), remembered),
      wide: Math.min(landed, this.#removal.sweptTo),
      looks: this.looks.begun,
    }
    if (this.looks.haveEnded(this.#done.looks)) {
      this.rules.retire(this.#done.keys, this.#done.wide)
      this.#done = undefined
    }
    this.#noting.tidy(this.rules, this.#mark)
  }

  #remember(): void {
    const { notes, clock } = this.#context
    let isDamaged = notes.isDamaged
    for (const line of notes.lines) {
      const note = readNote(line)
      if (note === undefined) {
        isDamaged = true
        continue
      }
      this.#mark = Math.max(this.#mark, note.mark)
      for (const held of note.held) this.rules.put(held)
      for (const [by, sequence] of Object.entries(note.positions)) this.#positions.skipTo(by, sequence)
    }
    // Nobody knows what was purged: all that was stored before is validated once.
    if (isDamaged) {
      this.#mark = Math.max(this.#mark + 1, clock() * 1000)
      this.rules.put({ what: 'all', value: '', isSoft: true, mark: this.#mark })
    }
  }
}
