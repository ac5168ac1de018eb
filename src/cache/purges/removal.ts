/** Deletes what purges cover: exact ones at once, wide ones by going through all that is stored, in turns. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { RequestHead } from '../../rfc/heads.ts'
import type { CacheKey, Store, StoredHead } from '../../store/store.ts'
import { addressOf, isWide, type PurgeScope } from './purge-scope.ts'
import type { Mark, Rules } from './rules.ts'
import { UnderWay } from './under-way.ts'

/** So many heads are looked at in one turn of the event loop. */
const AT_A_TIME = 256
const PLAIN: RequestHead = { method: 'GET', target: '/', fields: {} }
/** Of what is deleted only the head is of use. */
const NEXT_TO_NOTHING = { first: 0, last: 0 }

export class Removal {
  readonly #store: Store
  readonly #rules: Rules
  readonly #forgetSlices: (head: StoredHead) => Promise<void>
  readonly #underWay = new UnderWay()
  #wanted: Mark = 0
  #sweptTo: Mark = 0
  #disk: Promise<void> | undefined
  #deleted = 0
  #sweeps = 0

  constructor(store: Store, rules: Rules, forgetSlices: (head: StoredHead) => Promise<void>) {
    this.#store = store
    this.#rules = rules
    this.#forgetSlices = forgetSlices
  }

  /** Of addresses, and of responses by sweeps. */
  get deleted(): number {
    return this.#deleted
  }

  /** Times that all was gone through. */
  get sweeps(): number {
    return this.#sweeps
  }

  /** Up to here all that wide purges cover has been looked for, and deleted. */
  get sweptTo(): Mark {
    return this.#sweptTo
  }

  /** The same of exact purges; `now` is the mark of the last one. */
  doneTo(now: Mark): Mark {
    return this.#underWay.oldest === undefined ? now : this.#underWay.oldest - 1
  }

  /** What was deleted; of wide purges what lay in memory, and the disk follows by itself. Never rejects. */
  async remove(scope: PurgeScope, mark: Mark): Promise<number> {
    this.#underWay.depart(mark)
    const counts = [...scope.keys].map((key) => this.#delete(key))
    const swept = isWide(scope) ? await this.sweep(mark) : 0
    const deleted = (await Promise.all(counts)).filter(Boolean).length
    this.#underWay.arrive(mark)
    this.#deleted += deleted
    return deleted + swept
  }

  /** The same as if all that was purged before a restart were purged now; settles when the disk is done with, too. */
  async resume(mark: Mark): Promise<void> {
    // Before all others: none of what is remembered is done with until then.
    this.#underWay.depart(0)
    await this.sweep(mark)
    await this.#disk
    this.#underWay.arrive(0)
  }

  /** Goes through memory; settles when that is done, with how much was deleted. The disk is gone through after it. */
  async sweep(mark: Mark): Promise<number> {
    const deleted = await this.#through('memory')
    // Not before memory is done with: what has been looked for everywhere is looked for no more.
    this.#wanted = Math.max(this.#wanted, mark)
    this.#disk ??= this.#throughDisk().finally(() => {
      this.#disk = undefined
    })
    return deleted
  }

  /** Until none came meanwhile. */
  async #throughDisk(): Promise<void> {
    while (this.#sweptTo < this.#wanted) {
      const mark = this.#wanted
      await this.#through('disk')
      this.#sweeps++
      this.#sweptTo = mark
    }
  }

  async #through(place: 'memory' | 'disk'): Promise<number> {
    let looked = 0
    let deleted = 0
    for await (const head of this.#store.heads(place)) {
      if (++looked % AT_A_TIME === 0) await nextTurn()
      if (this.#rules.standing(head) !== 'gone') continue
      // With its variants, which cost one request each.
      if (await this.#store.delete(head.key)) deleted++
      if (head.sliced !== undefined) void this.#forgetSlices(head)
    }
    this.#deleted += deleted
    return deleted
  }

  /** False: nothing lay there. */
  async #delete(key: CacheKey): Promise<boolean> {
    const head = await this.#slicedHead(key)
    const wasThere = await this.#store.delete(key)
    if (head !== undefined) void this.#forgetSlices(head)
    return wasThere
  }

  async #slicedHead(key: CacheKey): Promise<StoredHead | undefined> {
    if (!this.#store.has(key)) return undefined
    const request = { ...PLAIN, target: addressOf(key) }
    const inMemory = this.#store.peek(key, request)
    const stored = inMemory ?? (await this.#store.get(key, request, NEXT_TO_NOTHING))
    return stored?.head.sliced === undefined ? undefined : stored.head
  }
}
