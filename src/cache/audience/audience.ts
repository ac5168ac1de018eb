/** Who watches which stream, and what became of all that was asked of it. */
import { LRUCache } from 'lru-cache'
import { mayHoldCmcd } from '../../media/cmcd.ts'
import type { DashFacts } from '../../media/facts.ts'
import { placeOf } from '../../media/place.ts'
import type { Forwarded } from '../../rfc/cache-status.ts'
import type { Clock, Instant, RequestHead } from '../../rfc/heads.ts'
import type { StoredHead } from '../../store/store.ts'
import type { Outcome } from '../answer.ts'
import type { Tally } from '../prefetch/tally.ts'
import { type News, pathOf, type Streams } from '../streams.ts'
import { type AudienceStats, countAudience } from './census.ts'
import { Renditions } from './renditions.ts'
import { Seat } from './seat.ts'
import { type CmcdStats, Sessions } from './sessions.ts'
import { Spot } from './spot.ts'

/** Manifests and renditions whose audience is known. */
const MAX_SPOTS = 20_000
/** Segments lie in the folder of their manifest or below it, seldom deeper. */
const MAX_DEPTH = 6
/** Of the renditions that one multivariant playlist lists. */
const MAX_LISTED = 100

/** A viewer's connection, as far as it matters here. */
export interface Connection {
  once(event: 'close', listener: () => void): unknown
}

/** What an answer tells of itself. */
export interface Told {
  readonly outcome: Outcome
  readonly fwd: Forwarded | undefined
  /** Undefined: it is not stored. */
  readonly head: StoredHead | undefined
}

interface Presentation {
  readonly facts: DashFacts
  readonly manifest: string
  renditions: Renditions | undefined
}

/**
 * A request belongs to the manifest it asks for, or else to the one that lies nearest above it; of several in one folder
 * to the one that was read last. Nothing here throws, and nothing waits.
 */
export class Audience {
  readonly #spots = new LRUCache<string, Spot>({
    max: MAX_SPOTS,
    dispose: (spot, _name, reason) => {
      if (reason !== 'set') spot.isGone = true
    },
  })
  readonly #byFolder = new LRUCache<string, string>({ max: MAX_SPOTS })
  readonly #presentations = new LRUCache<string, Presentation>({ max: MAX_SPOTS / 2 })
  readonly #byHead = new WeakMap<StoredHead, Spot>()
  readonly #seatOf = new WeakMap<Connection, Seat>()
  /** Of the connections that are open. */
  readonly #seats = new Set<Seat>()
  readonly #sessions: Sessions
  /** Of what belongs to no manifest, as far as is known: gone whenever another manifest is. */
  #nowhere = new Spot('')

  constructor(streams: Streams, clock: Clock) {
    this.#sessions = new Sessions(clock)
    streams.onNews((news) => this.#learn(news))
  }

  get sessions(): Sessions {
    return this.#sessions
  }

  /** A plain hit, on the path that a city takes. */
  hit(
    connection: Connection,
    request: RequestHead,
    head: StoredHead,
    told: Outcome,
    bytes: number,
    now: Instant,
  ): void {
    let spot = this.#byHead.get(head)
    if (spot === undefined || spot.isGone) spot = this.#find(request, head)
    spot.counts[told]++
    spot.bytes += bytes
    this.#seen(connection, request, spot, now)
  }

  /** Any other answer, as it begins; its bytes are told with `took`. */
  answered(connection: Connection | null, request: RequestHead, told: Told, now: Instant): Spot {
    const { head, outcome, fwd } = told
    let spot = head === undefined ? undefined : this.#byHead.get(head)
    if (spot === undefined || spot.isGone) spot = this.#find(request, head)
    spot.counts[outcome]++
    if (fwd !== undefined) spot.forwarded[fwd]++
    if (connection !== null) this.#seen(connection, request, spot, now)
    return spot
  }

  /** Where it is counted what was fetched ahead of the stream that a target belongs to. */
  tallyOf(target: string): Tally {
    return this.#find({ target }, undefined).ahead
  }

  took(spot: Spot, bytes: number): void {
    spot.bytes += bytes
  }

  /** By the manifest's path, for each that was asked for something or is listed by another. */
  read(now: Instant): ReadonlyMap<string, AudienceStats> {
    return countAudience([...this.#spots.values()], [...this.#seats], this.#sessions.list(now), now)
  }

  cmcd(): CmcdStats {
    return this.#sessions.stats()
  }

  #seen(connection: Connection, request: RequestHead, spot: Spot, now: Instant): void {
    if (!mayHoldCmcd(request.target, request.fields)) {
      this.#saw(connection, spot, now)
      return
    }
    // Who has a session is counted by it: one connection of a proxy carries many.
    this.#sessions.note(request, spot, now, () => this.#saw(connection, spot, now))
  }

  #saw(connection: Connection, spot: Spot, now: Instant): void {
    if (spot === this.#nowhere) return
    const seat = this.#seatOf.get(connection) ?? this.#sit(connection)
    seat.touch(spot, now)
  }

  #sit(connection: Connection): Seat {
    const seat = new Seat()
    this.#seatOf.set(connection, seat)
    this.#seats.add(seat)
    connection.once('close', () => this.#seats.delete(seat))
    return seat
  }

  #find({ target }: Pick<RequestHead, 'target'>, head: StoredHead | undefined): Spot {
    const path = pathOf(target)
    const spot = this.#spots.get(path) ?? this.#nearest(path)
    // What passes has a head for one viewer alone.
    if (head !== undefined && head.copy !== 'passing') this.#byHead.set(head, spot)
    return spot
  }

  #nearest(path: string): Spot {
    let folder = folderOf(path)
    for (let depth = 0; depth < MAX_DEPTH && folder !== ''; depth++) {
      const manifest = this.#byFolder.get(folder)
      const spot = manifest === undefined ? undefined : this.#spots.get(manifest)
      if (spot !== undefined) return this.#renditionOf(spot, path) ?? spot
      folder = folderOf(folder.slice(0, -1))
    }
    return this.#nowhere
  }

  #renditionOf(spot: Spot, path: string): Spot | undefined {
    const presentation = this.#presentations.get(spot.name)
    if (presentation === undefined) return undefined
    presentation.renditions ??= new Renditions(presentation.manifest, presentation.facts)
    const id = presentation.renditions.of(path)
    if (id === undefined) return undefined
    // No path contains a space.
    const rendition = this.#spotOf(`${spot.name} ${id}`, spot)
    rendition.windowMs = spot.windowMs
    return rendition
  }

  #learn({ target, stream }: News): void {
    const { manifest, facts } = stream
    const spot = this.#spotOf(manifest)
    const folder = folderOf(manifest)
    switch (facts.role) {
      case 'media':
        spot.keepPace(facts.segmentDurationMs ?? facts.targetDurationMs)
        this.#byFolder.set(folder, manifest)
        return
      case 'presentation':
        spot.keepPace(facts.segmentDurationMs)
        this.#byFolder.set(folder, manifest)
        this.#presentations.set(manifest, { facts, manifest: target, renditions: undefined })
        return
      case 'multivariant':
        // What lies beside it, where no playlist with segments does.
        if (!this.#byFolder.has(folder)) this.#byFolder.set(folder, manifest)
        for (const { address } of facts.renditions.slice(0, MAX_LISTED)) {
          const place = placeOf(target, address)
          const listed = place?.kind === 'here' ? pathOf(place.target) : manifest
          if (listed !== manifest) this.#spotOf(listed).parent = spot
        }
        return
      case 'patch':
    }
  }

  #spotOf(name: string, parent?: Spot): Spot {
    const known = this.#spots.get(name)
    if (known !== undefined) return known
    const spot = new Spot(name, parent)
    this.#spots.set(name, spot)
    this.#nowhere.isGone = true
    this.#nowhere = new Spot('')
    return spot
  }
}

/** With its slash; empty when there is none above. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}
