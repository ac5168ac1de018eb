/** What players tell of themselves (CMCD), session by session; read behind the answers, and no more of it than is cheap. */
import { LRUCache } from 'lru-cache'
import { type Cmcd, type CmcdEvent, type NextObject, readCmcd } from '../../media/cmcd.ts'
import type { Clock, Instant, RequestHead } from '../../rfc/heads.ts'
import { Seat } from './seat.ts'
import type { Spot } from './spot.ts'

const MAX_SESSIONS = 20_000
/** Of whom nothing was heard for so long is gone. */
const SESSION_MS = 10 * 60_000
/** One takes some ten microseconds to read: all of these, two hundredths of a second. Of reports, and of events. */
const MAX_A_SECOND = 2_000
const MAX_WAITING = 1_000

/** One player's playback, with what it said last. */
export interface Session {
  readonly seat: Seat
  heardAt: Instant
  bufferMs: number | undefined
  bitrateKbps: number | undefined
  throughputKbps: number | undefined
  /** From the wish to play to the first picture. */
  startupMs: number | undefined
  /** What it says that it plays (`cid`). */
  content: string | undefined
  isUrgent: boolean
  spot: Spot | undefined
}

interface Report {
  readonly request: RequestHead
  readonly spot: Spot
  readonly at: Instant
  readonly onNameless: () => void
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
  #onNext: (request: RequestHead, next: readonly NextObject[]) => void = () => undefined
  #waiting: Report[] = []
  readonly #requestsRead = new Allowance()
  /** Anybody may send them without playing anything, and is not to have the reports of players skipped. */
  readonly #eventsRead = new Allowance()
  #reports = 0
  #skipped = 0
  #events = 0
  #badEvents = 0
  /** Bodies of events that were not taken, counted by who said so. */
  refused = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `listener` hears what players say that they will ask for next (`nor`), as long as they play; it must not throw. */
  onNext(listener: (request: RequestHead, next: readonly NextObject[]) => void): void {
    this.#onNext = listener
  }

  /** Takes a request whose player speaks; it is read when the answers of this turn have left. `onNameless`: of no session. */
  note(request: RequestHead, spot: Spot, now: Instant, onNameless: () => void = () => undefined): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#skipped++
      return
    }
    if (this.#waiting.length === 0) setImmediate(() => this.#readAll())
    this.#waiting.push({ request, spot, at: now, onNameless })
  }

  /** Events count for the spot that their session asked of last. False: too many came in this second, and these are lost. */
  take(events: readonly CmcdEvent[], bad: number, now: Instant): boolean {
    if (!this.#eventsRead.take(events.length + bad, now)) {
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
    for (const { request, spot, at, onNameless } of reports) {
      if (!this.#requestsRead.take(1, at)) {
        this.#skipped++
        continue
      }
      const cmcd = readCmcd(request.target, request.fields)
      if (cmcd?.sid === undefined) onNameless()
      if (cmcd === undefined) continue
      this.#reports++
      this.#learn(cmcd, spot, at, false)
      if (cmcd.nor.length > 0 && !isAtRest(cmcd)) this.#onNext(request, cmcd.nor)
    }
  }

  #learn(cmcd: Cmcd, asked: Spot | undefined, now: Instant, isRebuffering: boolean): void {
    const { sid, cid, bl, br, mtp, msd, ot, bs, su } = cmcd
    const session = sid === undefined ? undefined : this.#of(sid, now)
    const spot = asked ?? session?.spot
    if (spot !== undefined) {
      if (bs || isRebuffering) spot.stalls++
      // A run of urgent requests is one beginning.
      if (su && session?.isUrgent !== true) spot.startups++
    }
    if (session === undefined) return
    // A manifest says nothing of the buffer, so it ends no run.
    session.isUrgent = su || (session.isUrgent && ot === 'm')
    session.bufferMs = bl ?? session.bufferMs
    session.throughputKbps = mtp ?? session.throughputKbps
    session.startupMs = msd ?? session.startupMs
    if (cid !== undefined && cid !== session.content) session.content = copied(cid)
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
      startupMs: undefined,
      content: undefined,
      isUrgent: false,
      spot: undefined,
    }
    this.#bySid.set(copied(sid), session)
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

/** A bound for what anybody may send. */
class Allowance {
  #secondBegan: Instant = 0
  #taken = 0

  /** False: in this second there is no room for so many more. */
  take(count: number, now: Instant): boolean {
    if (now - this.#secondBegan >= 1000 || now < this.#secondBegan) {
      this.#secondBegan = now
      this.#taken = 0
    }
    if (this.#taken + count > MAX_A_SECOND) return false
    this.#taken += count
    return true
  }
}

/** What was cut from a text keeps the whole of it in memory. */
function copied(text: string): string {
  return structuredClone(text)
}

/** Paused, or at an end: what it says that comes next may never come. */
function isAtRest({ pr, sta }: Cmcd): boolean {
  return pr === 0 || sta === 'a' || sta === 'e' || sta === 'f' || sta === 'q'
}
