/** The purges of this node: given out here or told by others, applied once, and remembered across restarts. */
import * as promises from 'node:fs/promises'
import type { PurgeRule } from '../purge/purge-rule.ts'
import type { Clock, Instant } from '../rfc/heads.ts'
import type { DiskFiles } from '../store/disk/files.ts'
import { type LoadedPurges, PurgeFile, type PurgeLine } from './purge-file.ts'
import { type Positions, type PurgeBatch, PurgeLog, type PurgeNews } from './purge-log.ts'

/** As long as a node may be away without having to validate everything. */
const MAX_AGE_MS = 72 * 3_600_000
/** Some 100,000 purges of one URL each, in memory; the file is at most twice that, and one megabyte. */
const MAX_BYTES = 16 * 1024 ** 2
const MIN_REWRITTEN_BYTES = 1024 ** 2
/** How often it is written down that the node is there and knows all purges. */
const MARK_EVERY_MS = 60_000

/** What a purge means is not known here, nor remembered. None of these throws, and what is told is in force when it returns. */
export interface PurgeTarget {
  /** How far the purges of each issuer are in force, also those of lives before this one. */
  readonly positions: () => Positions
  /** Has it in force. It may be told what is in force already. */
  apply(rule: PurgeRule): void
  /** Those of this issuer up to this sequence were missed, and cannot be had any more: what was stored before now is to be validated before it is used. */
  skipTo(issuer: string, sequence: number): void
  /** The same, whoever gave out what was missed. */
  distrust(): void
}

export interface PurgeBookContext {
  /** This life of this node: it never gives out a number twice. */
  readonly issuer: string
  /** The file; undefined: nothing outlives the process, which is right where nothing stored does. */
  readonly path: string | undefined
  readonly clock: Clock
  readonly target: PurgeTarget
  readonly onTrouble: (what: string, error: unknown) => void
  readonly files?: DiskFiles
  readonly maxBytes?: number
}

export class PurgeBook {
  readonly issuer: string
  readonly #context: PurgeBookContext
  readonly #log: PurgeLog
  readonly #file: PurgeFile | undefined
  readonly #listeners = new Set<() => void>()
  /** Rules of this issuer that came before the one that goes before them: they wait for it. */
  readonly #early = new Map<number, PurgeRule>()
  #markedAt: Instant
  #awaySince: Instant | undefined
  #isRewriting = false

  /** Empty until `load`. */
  constructor(context: PurgeBookContext) {
    const { issuer, path, clock, files = promises, onTrouble, maxBytes = MAX_BYTES } = context
    this.#context = context
    this.#log = new PurgeLog({ maxBytes, maxAgeMs: MAX_AGE_MS })
    this.#file = path === undefined ? undefined : new PurgeFile(files, path, onTrouble)
    this.#markedAt = clock()
    this.issuer = issuer
  }

  static async open(context: PurgeBookContext): Promise<PurgeBook> {
    const book = new PurgeBook(context)
    await book.load()
    return book
  }

  /**
   * To be called once, before all else. Throws when the file cannot be read or made. What is in it and not in force is
   * applied; when the node was away for longer than others remember purges, what is stored is distrusted.
   */
  async load(): Promise<void> {
    if (this.#file !== undefined) this.#replay(await this.#file.load())
    await this.#write({ at: this.#markedAt })
  }

  get positions(): Positions {
    return this.#log.positions()
  }

  get size(): number {
    return this.#log.size
  }

  /** Until when this node knew all purges before this life of it; undefined: nobody remembers. */
  get awaySince(): Instant | undefined {
    return this.#awaySince
  }

  /** Hears of each change of the positions. Returns how to stop that. */
  onNews(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A rule of this issuer that is in force here, for the others. Answers when it is on disk, as far as there is one. */
  record(rule: PurgeRule): Promise<void> {
    this.#early.set(rule.sequence, rule)
    const rules: PurgeRule[] = []
    for (let next = this.#log.positionOf(this.issuer) + 1; ; next++) {
      const following = this.#early.get(next)
      if (following === undefined) break
      this.#early.delete(next)
      rules.push(following)
    }
    return this.#note(this.#log.take({ floors: {}, rules }, this.#context.clock()))
  }

  /** Applies what of it is new, at once; answers when that is on disk, and never throws. */
  take(batch: PurgeBatch): Promise<void> {
    const { clock, target } = this.#context
    const news = this.#log.take(batch, clock())
    for (const [issuer, sequence] of Object.entries(news.gaps)) target.skipTo(issuer, sequence)
    for (const rule of news.rules) target.apply(rule)
    return this.#note(news)
  }

  /** Purges may have been missed until now. */
  distrust(): void {
    this.#context.target.distrust()
  }

  since(positions: Positions, maxBytes: number): PurgeBatch {
    return this.#log.since(positions, maxBytes)
  }

  /** Whether somebody at these positions lacks something. */
  isAhead(positions: Positions): boolean {
    return this.#log.isAhead(positions)
  }

  /** Of the purges that are remembered here the last of each issuer that somebody at these positions lacks. */
  lackedAt(positions: Positions): Positions {
    return this.#log.lackedAt(positions)
  }

  /** To be called each second or so. */
  tick(): void {
    const now = this.#context.clock()
    if (Math.abs(now - this.#markedAt) < MARK_EVERY_MS) return
    this.#markedAt = now
    this.#log.trim(now)
    if (this.#file?.isWhole === false) void this.#rewrite()
    else void this.#write({ at: now }).then(() => this.#rewriteIfLong())
  }

  /** Resolves when everything is on disk. */
  async close(): Promise<void> {
    await this.#write({ at: this.#context.clock() })
    await this.#file?.close()
  }

  #replay({ lines }: LoadedPurges): void {
    const { target } = this.#context
    let knownUntil: Instant | undefined
    for (const line of lines) {
      if ('rule' in line) {
        this.#log.take({ floors: {}, rules: [line.rule] }, line.takenAt)
        knownUntil = line.takenAt
      } else {
        if ('floors' in line) this.#log.take({ floors: line.floors, rules: [] }, line.at)
        knownUntil = line.at
      }
    }
    this.#awaySince = knownUntil
    const inForce = target.positions()
    for (const { rule } of this.#log.rules()) if (rule.sequence > (inForce[rule.by] ?? 0)) target.apply(rule)
    // What is in force and not in the file need not be told again.
    this.#log.take({ floors: inForce, rules: [] }, this.#markedAt)
    const isLongAgo = knownUntil !== undefined && this.#markedAt - knownUntil >= MAX_AGE_MS
    if (isLongAgo) target.distrust()
  }

  async #note({ rules, gaps }: PurgeNews): Promise<void> {
    const isGap = Object.keys(gaps).length > 0
    if (rules.length === 0 && !isGap) return
    for (const listener of this.#listeners) listener()
    const takenAt = this.#context.clock()
    // A floor cannot be said in the middle of the file.
    if (isGap) await this.#rewrite()
    else await Promise.all(rules.map((rule) => this.#write({ rule, takenAt })))
    await this.#rewriteIfLong()
  }

  #write(line: PurgeLine): Promise<boolean> {
    return this.#file?.append(line) ?? Promise.resolve(true)
  }

  async #rewriteIfLong(): Promise<void> {
    const isLong = (this.#file?.bytes ?? 0) > 2 * this.#log.bytes + MIN_REWRITTEN_BYTES
    if (isLong && !this.#isRewriting) await this.#rewrite()
  }

  async #rewrite(): Promise<void> {
    this.#isRewriting = true
    await this.#file?.rewrite(() => this.#lines())
    this.#isRewriting = false
  }

  *#lines(): Generator<PurgeLine> {
    yield { floors: this.#log.floors(), at: this.#context.clock() }
    yield* this.#log.rules()
  }
}
