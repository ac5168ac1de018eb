/** How many requests one server is asked at once, and who waits for how long when it is busy. */
import { RelaisError } from '../errors.ts'
import type { Readers, Urgency } from './source.ts'

export interface BudgetOptions {
  /** Requests at once, a body that is on its way among them. */
  readonly connections: number
  /** How many may wait, of each kind of readers. */
  readonly queue: number
  readonly queueTimeoutMs: number
}

/** The right to one request; ends with `release`, which may be called again. */
export interface Permit {
  release(): void
  /** The body turned out to be for one viewer. False: those have all they may have, and it stays as it was. */
  toOne(): boolean
}

/** Of four connections bodies at the pace of single viewers hold three at most: however slow they are, fills go on. */
const SHARE_OF_ONE = 3 / 4
/** Beyond this nothing is asked for that nobody waits for. */
const NEAR_BOUND = 3 / 4
/** A place is free again when any body ends; nobody knows when. */
const RETRY_AFTER_SECONDS = 1

/** Of so many who are let in while others wait longer, the next is not one of the urgent: nobody starves. */
const URGENT_IN_A_ROW = 3

interface Waiter {
  readonly arrival: number
  readonly admit: () => void
}

export class Budget {
  readonly #options: BudgetOptions
  readonly #mostForOne: number
  readonly #held: Record<Readers, number> = { all: 0, one: 0 }
  /** Each in the order of arrival. */
  readonly #waiting: Readonly<Record<Readers, Set<Waiter>>> = { all: new Set(), one: new Set() }
  /** Those among them who are in a hurry. */
  readonly #urgent: Readonly<Record<Readers, Set<Waiter>>> = { all: new Set(), one: new Set() }
  #arrivals = 0
  #urgentInARow = 0

  constructor(options: BudgetOptions) {
    this.#options = options
    this.#mostForOne = Math.max(1, Math.floor(options.connections * SHARE_OF_ONE))
  }

  /** Requests under way. */
  get used(): number {
    return this.#held.all + this.#held.one
  }

  get waiting(): number {
    return this.#waiting.all.size + this.#waiting.one.size
  }

  /** How many requests that nobody waits for may be under way at once; 0 while somebody waits, or it is near its bound. */
  spare(share: number): number {
    const { connections } = this.#options
    if (this.waiting > 0 || this.used >= Math.max(1, connections * NEAR_BOUND)) return 0
    return Math.max(1, Math.floor((connections * share) / 100))
  }

  /**
   * Waits for a place: the urgent first, else first come, first served; of four places one at least goes to who has
   * waited longest. Rejects with CONNECTION_LIMIT when too many wait already or it takes too long, and with the
   * signal's reason. Who waits already is one of the urgent as soon as `urged` settles.
   */
  async acquire(
    readers: Readers,
    name: string,
    signal: AbortSignal,
    urgency: Urgency = 'soon',
    urged?: Promise<void>,
  ): Promise<Permit> {
    signal.throwIfAborted()
    const line = this.#waiting[readers]
    if (line.size > 0 || !this.#hasPlace(readers)) {
      if (line.size >= this.#options.queue) throw limit(name, `${line.size} wait already`)
      await this.#wait(readers, urgency, name, signal, urged)
    } else {
      this.#held[readers]++
    }
    return this.#permit(readers)
  }

  /** Settles when a place is held. */
  #wait(
    readers: Readers,
    urgency: Urgency,
    name: string,
    signal: AbortSignal,
    urged: Promise<void> | undefined,
  ): Promise<void> {
    const line = this.#waiting[readers]
    const { queueTimeoutMs } = this.#options
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        line.delete(waiter)
        this.#urgent[readers].delete(waiter)
        signal.removeEventListener('abort', giveUp)
        clearTimeout(timer)
      }
      const giveUp = (): void => {
        leave()
        reject(signal.reason)
      }
      const waiter = {
        arrival: this.#arrivals++,
        admit: () => {
          leave()
          this.#held[readers]++
          resolve()
        },
      }
      const timer = setTimeout(() => {
        leave()
        reject(limit(name, `no place within ${queueTimeoutMs} ms`))
      }, queueTimeoutMs)
      signal.addEventListener('abort', giveUp, { once: true })
      line.add(waiter)
      if (urgency === 'now') this.#urgent[readers].add(waiter)
      void urged?.then(() => {
        if (line.has(waiter)) this.#urgent[readers].add(waiter)
      })
    })
  }

  #permit(first: Readers): Permit {
    let readers: Readers | undefined = first
    return {
      release: () => {
        if (readers === undefined) return
        this.#held[readers]--
        readers = undefined
        this.#admitNext()
      },
      toOne: () => {
        // What has ended already holds up nobody.
        if (readers !== 'all') return true
        if (this.#held.one >= this.#mostForOne) return false
        this.#held.all--
        this.#held.one++
        readers = 'one'
        return true
      },
    }
  }

  #hasPlace(readers: Readers): boolean {
    if (this.used >= this.#options.connections) return false
    return readers === 'all' || this.#held.one < this.#mostForOne
  }

  #admitNext(): void {
    for (;;) {
      const longest = this.#next(this.#waiting)
      if (longest === undefined) return
      const urgent = this.#urgentInARow < URGENT_IN_A_ROW ? this.#next(this.#urgent) : undefined
      const next = urgent ?? longest
      this.#urgentInARow = next === longest ? 0 : this.#urgentInARow + 1
      next.admit()
    }
  }

  /** Who came first of those for whom there is a place. */
  #next(lines: Readonly<Record<Readers, ReadonlySet<Waiter>>>): Waiter | undefined {
    const [all] = this.#hasPlace('all') ? lines.all : []
    const [one] = this.#hasPlace('one') ? lines.one : []
    return all === undefined || (one !== undefined && one.arrival < all.arrival) ? one : all
  }
}

function limit(name: string, details: string): RelaisError {
  return new RelaisError('CONNECTION_LIMIT', {
    details,
    nextHop: name,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  })
}
