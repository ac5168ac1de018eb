/** The purges of this node: given out here or told by others, applied once, and remembered across restarts. */
import * as promises from 'node:fs/promises'
import type { PurgeOrder, PurgeRule } from '../purge/purge-rule.ts'
import type { Clock, Instant } from '../rfc/heads.ts'
import type { DiskFiles } from '../store/disk/files.ts'
import { type LoadedPurges, PurgeFile, type PurgeLine } from './purge-file.ts'
import { type Positions, type PurgeBatch, PurgeLog } from './purge-log.ts'

/** As long as a node may be away without having to validate everything. */
const MAX_AGE_MS = 72 * 3_600_000
/** Some 100,000 purges of one URL each, in memory; the file is at most twice that, and one megabyte. */
const MAX_BYTES = 16 * 1024 ** 2
const MIN_REWRITTEN_BYTES = 1024 ** 2
/** How often it is written down that the node is there and knows all purges. */
const MARK_EVERY_MS = 60_000

/** What a purge means is not known here. Neither of them throws. */
export interface PurgeTarget {
  /** Has it applied to all that was stored before `takenAt`. When the node begins, all purges remembered come again. */
  apply(rule: PurgeRule, takenAt: Instant): void
  /** Purges may have been missed: all that was stored before `at` is to be validated before it is used. */
  distrust(at: Instant): void
}

export interface PurgeBookContext {
  readonly node: string
  /** The file; undefined: nothing is remembered, which is right where nothing stored is. */
  readonly path: string | undefined
  readonly clock: Clock
  readonly target: PurgeTarget
  readonly onTrouble: (what: string, error: unknown) => void
  readonly files?: DiskFiles
  readonly maxBytes?: number
}

export class PurgeBook {
  /** This life of this node: a number that it gave out is never given out again. */
  readonly issuer: string
  readonly #context: PurgeBookContext
  readonly #log: PurgeLog
  readonly #file: PurgeFile | undefined
  readonly #listeners = new Set<() => void>()
  #gapAt: Instant | undefined
  #markedAt: Instant
  #isRewriting = false

  private constructor(context: PurgeBookContext) {
    const { node, path, clock, files = promises, onTrouble, maxBytes = MAX_BYTES } = context
    this.#context = context
    this.#log = new PurgeLog({ maxBytes, maxAgeMs: MAX_AGE_MS })
    this.#file = path === undefined ? undefined : new PurgeFile(files, path, onTrouble)
    this.#markedAt = clock()
    this.issuer = `${node}:${this.#markedAt.toString(36)}`
  }

  /**
   * Applies all purges remembered. Throws when the file cannot be read or made. What is stored is distrusted when the file says that
   * purges were missed: it is damaged, or not there, or the node was away for longer than others remember.
   */
  static async open(context: PurgeBookContext): Promise<PurgeBook> {
    const book = new PurgeBook(context)
    if (book.#file !== undefined) book.#replay(await book.#file.load())
    await book.#write({ at: book.#markedAt })
    return book
  }

  get positions(): Positions {
    return this.#log.positions()
  }

  get size(): number {
    return this.#log.size
  }

  /** Hears of each change of the positions. Returns how to stop that. */
  onNews(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Applies an order here and now, and answers with its place in the log when it is on disk, as far as there is one. */
  async issue(order: PurgeOrder): Promise<PurgeRule> {
    const at = this.#context.clock()
    const { kind, values, soft } = order
    const sequence = this.#log.positionOf(this.issuer) + 1
    const rule: PurgeRule = { by: this.issuer, sequence, at, kind, values, soft }
    await this.take({ floors: {}, rules: [rule] })
    return rule
  }

  /** Applies what of it is new, at once; answers when that is on disk, and never throws. */
  async take(batch: PurgeBatch): Promise<void> {
    const { clock, target } = this.#context
    const now = clock()
    const { rules, isGap } = this.#log.take(batch, now)
    const lines: PurgeLine[] = rules.map((rule) => ({ rule, takenAt: now }))
    if (isGap) this.distrust()
    for (const rule of rules) target.apply(rule, now)
    if (rules.length === 0 && !isGap) return
    for (const listener of this.#listeners) listener()
    // A floor cannot be said in the middle of the file.
    if (isGap) await this.#rewrite()
    else await Promise.all(lines.map((line) => this.#write(line)))
    await this.#rewriteIfLong()
  }

  /** Purges may have been missed until now. */
  distrust(): void {
    this.#gapAt = this.#context.clock()
    this.#context.target.distrust(this.#gapAt)
    void this.#write({ gapAt: this.#gapAt })
  }

  since(positions: Positions, maxBytes: number): PurgeBatch {
    return this.#log.since(positions, maxBytes)
  }

  /** Whether somebody at these positions lacks something. */
  isAhead(positions: Positions): boolean {
    return this.#log.isAhead(positions)
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

  #replay({ lines, state }: LoadedPurges): void {
    const { target } = this.#context
    let knownUntil: Instant | undefined
    for (const line of lines) {
      if ('rule' in line) {
        const { rule, takenAt } = line
        for (const news of this.#log.take({ floors: {}, rules: [rule] }, takenAt).rules)
          target.apply(news, takenAt)
        knownUntil = takenAt
      } else if ('gapAt' in line) {
        this.#gapAt = line.gapAt
      } else {
        if ('floors' in line) this.#log.take({ floors: line.floors, rules: [] }, line.at)
        knownUntil = line.at
      }
    }
    const isLongAgo = knownUntil === undefined || this.#markedAt - knownUntil >= MAX_AGE_MS
    if (isLongAgo || state === 'damaged' || state === 'absent') this.distrust()
    else if (this.#gapAt !== undefined) target.distrust(this.#gapAt)
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
    if (this.#gapAt !== undefined) yield { gapAt: this.#gapAt }
    yield* this.#log.rules()
  }
}
