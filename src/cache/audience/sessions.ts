/** What players tell of themselves (CMCD), session by session; read behind the answers, and no more of it than is cheap. */
import { LRUCache } from 'lru-cache'
import { type Cmcd, type CmcdEvent, readCmcd } from '../../media/cmcd.ts'
import type { Clock, Instant, RequestHead } from '../../rfc/heads.ts'
import { Seat } from './seat.ts'
import type { Spot } from './spot.ts'

const MAX_SESSIONS = 20_000
/** Of whom nothing was heard for so long is gone. */
const SESSION_MS = 10 * 60_000
/** One takes some ten microseconds to read: all of these, two hundredths of a second. */
const MAX_A_SECOND = 2_000
const MAX_WAITING = 1_000

/** One player's playback, with what it said last. */
export interface Session {
  readonly seat: Seat
  heardAt: Instant
  bufferMs: number | undefined
  bitrateKbps: number | undefined
  throughputKbps: number | undefined
  isUrgent: boolean
  spot: Spot | undefined
}

interface Report {
  readonly request: RequestHead
  readonly spot: Spot
  readonly at: Instant
}

export interface CmcdStats {
  /** Sessions that were heard of in the last ten minutes, at most 20,000. */
  readonly sessions: number
  readonly reports: number
  readonly skipped: number
  readonly events: number
  readonly badEvents: number
  readonly refused: number
}

export class Sessions {
  readonly #clock: Clock
  readonly #bySid = new LRUCache<string, Session>({ max: MAX_SESSIONS })
  #waiting: Report[] = []
  #secondBegan: Instant = 0
  #readInSecond = 0
  #reports = 0
  #skipped = 0
  #events = 0
  #badEvents = 0
  /** Bodies of events that were not taken, counted by who said so. */
  refused = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes a request whose player speaks; it is read when the answers of this turn have left. */
  note(request: RequestHead, spot: Spot, now: Instant): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#skipped++
      return
    }
    if (this.#waiting.length === 0) setImmediate(() => this.#readAll())
    this.#waiting.push({ request, spot, at: now })
  }

  /** Events count for the spot that their session asked of last. False: too many came in this second, and these are lost. */
  take(events: readonly CmcdEvent[], bad: number, now: Instant): boolean {
    if (!this.#mayRead(now, events.length + bad)) {
      this.#skipped += events.length + bad
      return false
    }
    this.#badEvents += bad
    for (const event of events) {
      this.#events++
      this.#learn(event, undefined, now, event.e === 'ps' && event.sta === 'r')
    }
    return true
  }

  /** Those of whom was heard lately. */
  list(now: Instant): readonly Session[] {
    this.#forget(now)
    return [...this.#bySid.values()]
  }

  stats(): CmcdStats {
    this.#forget(this.#clock())
    return {
      sessions: this.#bySid.size,
      reports: this.#reports,
      skipped: this.#skipped,
      events: this.#events,
      badEvents: this.#badEvents,
      refused: this.refused,
    }
  }

  #readAll(): void {
    const reports = this.#waiting
    this.#waiting = []
    for (const { request, spot, at } of reports) {
      if (!this.#mayRead(at, 1)) {
        this.#skipped++
        continue
      }
      const cmcd = readCmcd(request.target, request.fields)
      if (cmcd === undefined) continue
      this.#reports++
      this.#learn(cmcd, spot, at, false)
    }
  }

  /** A bound for what anybody may send: `count` more in this second. */
  #mayRead(now: Instant, count: number): boolean {
    if (now - this.#secondBegan >= 1000 || now < this.#secondBegan) {
      this.#secondBegan = now
      this.#readInSecond = 0
    }
    if (this.#readInSecond + count > MAX_A_SECOND) return false
    this.#readInSecond += count
    return true
  }

  #learn(cmcd: Cmcd, asked: Spot | undefined, now: Instant, isRebuffering: boolean): void {
    const { sid, bl, br, mtp, ot, bs, su } = cmcd
    const session = sid === undefined ? undefined : this.#of(sid, now)
    const spot = asked ?? session?.spot
    if (spot !== undefined) {
      if (bs || isRebuffering) spot.stalls++
      // A run of urgent requests is one beginning.
      if (su && session?.isUrgent !== true) spot.startups++
    }
    if (session === undefined) return
    session.isUrgent = su
    session.bufferMs = bl ?? session.bufferMs
    session.throughputKbps = mtp ?? session.throughputKbps
    // That of the sound would hide that of the picture.
    if (ot !== 'a') session.bitrateKbps = br ?? session.bitrateKbps
    session.heardAt = now
    session.spot = spot
    if (spot !== undefined) session.seat.touch(spot, now)
  }

  #of(sid: string, now: Instant): Session {
    const known = this.#bySid.get(sid)
    if (known !== undefined) return known
    this.#forget(now)
    const session: Session = {
      seat: new Seat(),
      heardAt: now,
      bufferMs: undefined,
      bitrateKbps: undefined,
      throughputKbps: undefined,
      isUrgent: false,
      spot: undefined,
    }
    this.#bySid.set(sid, session)
    return session
  }

  /** From the one who was silent longest on. */
  #forget(now: Instant): void {
    for (const sid of this.#bySid.rkeys()) {
      const session = this.#bySid.peek(sid)
      if (session !== undefined && now - session.heardAt <= SESSION_MS) return
      this.#bySid.delete(sid)
    }
  }
}
