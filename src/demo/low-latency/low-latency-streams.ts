/** What is found under /ll/ as the streams are made: at once, when its time has come, or as it grows. */
import type { Instant } from '../../rfc/heads.ts'
import { liveMultivariant } from '../live-hls.ts'
import type { LiveSource } from '../live-streams.ts'
import type { Resource } from '../resource.ts'
import { makeResource } from '../resource.ts'
import type { Track } from '../title.ts'
import { ChunkedTitle } from './chunked-title.ts'
import { readDirectives } from './directives.ts'
import { GrowingSegment } from './growing-segment.ts'
import {
  lowLatencyMpd,
  lowLatencyMpdPatch,
  type MpdForm,
  numberAtTime,
  PATCH_SECONDS,
  publishedBefore,
} from './mpd.ts'
import { edgeAt, lastPart, PARTS_PER_SEGMENT, type PartPlace, partMadeAt } from './part-clock.ts'
import { isPartServable, isSegmentServable, lowLatencyPlaylist, type PlaylistForm } from './playlist.ts'

export type Found =
  | { readonly kind: 'resource'; readonly resource: Resource }
  /** Made when the stream has come to `madeAt`, and not before. */
  | { readonly kind: 'held'; readonly madeAt: Instant; readonly make: (madeUntil: Instant) => Resource }
  | { readonly kind: 'growing'; readonly segment: GrowingSegment; readonly path: string }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }

type Form =
  | ({ readonly protocol: 'hls' } & PlaylistForm)
  | { readonly protocol: 'dash'; readonly form: MpdForm }

const FORMS: ReadonlyMap<string, Form> = new Map([
  ['parts', { protocol: 'hls', parts: 'files', canSkip: true }],
  ['ranges', { protocol: 'hls', parts: 'ranges', canSkip: false }],
  ['dash', { protocol: 'dash', form: 'number' }],
  ['patch', { protocol: 'dash', form: 'timeline' }],
])

/** Longer than any number of a segment that is servable before the year 100,000 has. */
const NUMBER = '(0|[1-9]\\d{0,14})'
const SEGMENT = new RegExp(`^([^/]+)/${NUMBER}\\.m4s$`)
const PART = new RegExp(`^([^/]+)/${NUMBER}\\.(\\d)\\.m4s$`)
const TIMED_SEGMENT = new RegExp(`^([^/]+)/t${NUMBER}\\.m4s$`)

export class LowLatencyStreams {
  readonly #source: LiveSource
  readonly #chunked: ChunkedTitle

  /** Cuts the title once; throws when fixtures are missing or wrong. */
  constructor(source: LiveSource) {
    this.#source = source
    this.#chunked = new ChunkedTitle(source.files, source.folder, source.title)
  }

  /** Viewers wait so long at most: RFC 8216bis section 6.2.5.2 says three target durations. */
  get holdMs(): number {
    return 3 * this.#segmentMs
  }

  /** Undefined where there is nothing: not yet, no longer, or never. */
  find(path: string, query: string, madeUntil: Instant): Found | undefined {
    const [, name = '', rest = ''] = /^\/ll\/([a-z]+)\/(.+)$/.exec(path) ?? []
    const form = FORMS.get(name)
    if (form === undefined) return undefined
    const initTrack = this.#trackNamed(/^([^/]+)\/init\.mp4$/.exec(rest)?.[1])
    if (initTrack !== undefined) return this.#init(initTrack)
    switch (form.protocol) {
      case 'hls':
        return this.#findHls(form, rest, query, madeUntil)
      case 'dash':
        return this.#findDash(form.form, rest, query, madeUntil)
    }
  }

  #findHls(form: PlaylistForm, rest: string, query: string, madeUntil: Instant): Found | undefined {
    const { madeAt } = this.#source
    if (rest === 'main.m3u8') return found(rest, liveMultivariant(this.#chunked.title, 'fmp4'), madeAt)
    const track = this.#trackNamed(/^([^/]+)\.m3u8$/.exec(rest)?.[1])
    if (track !== undefined) return this.#playlist(form, track, rest, query, madeUntil)
    const [, partTrack, number, part] = PART.exec(rest) ?? []
    if (partTrack !== undefined && form.parts === 'files')
      return this.#part(partTrack, { number: Number(number), part: Number(part) }, rest, madeUntil)
    const [, segmentTrack, segmentNumber] = SEGMENT.exec(rest) ?? []
    return this.#segment(segmentTrack, Number(segmentNumber), rest, madeUntil, form.parts === 'ranges')
  }

  #playlist(form: PlaylistForm, track: Track, path: string, query: string, madeUntil: Instant): Found {
    const asked = readDirectives(query, madeUntil, this.#segmentMs)
    if (asked.kind === 'refused') return { kind: 'refused', status: 400, message: asked.message }
    const make = (until: Instant): Resource => {
      const text = lowLatencyPlaylist(this.#chunked, track, form, until, asked.wantsDelta)
      return textResource(path, text, partMadeAt(lastPart(edgeAt(until, this.#segmentMs)), this.#segmentMs))
    }
    const { madeAt } = asked
    if (madeAt === undefined || madeAt <= madeUntil) return { kind: 'resource', resource: make(madeUntil) }
    return { kind: 'held', madeAt, make }
  }

  /** A part that is hinted is held until it exists; one beyond is not there (RFC 8216bis section 6.2.6). */
  #part(trackName: string, place: PartPlace, path: string, madeUntil: Instant): Found | undefined {
    const track = this.#trackNamed(trackName)
    if (track === undefined || place.part >= PARTS_PER_SEGMENT) return undefined
    const madeAt = partMadeAt(place, this.#segmentMs)
    const make = (): Resource => makeResource(path, this.#chunked.chunk(track, place), madeAt)
    if (madeAt <= madeUntil) {
      if (!isPartServable(place, madeUntil, this.#segmentMs)) return undefined
      return { kind: 'resource', resource: make() }
    }
    const edge = edgeAt(madeUntil, this.#segmentMs)
    return place.number === edge.number && place.part === edge.parts
      ? { kind: 'held', madeAt, make }
      : undefined
  }

  #findDash(form: MpdForm, rest: string, query: string, madeUntil: Instant): Found | undefined {
    const { title } = this.#chunked
    const { madeAt } = this.#source
    if (rest === 'manifest.mpd') {
      const publishedAt = form === 'timeline' ? publishedBefore(madeUntil, this.#segmentMs) : madeAt
      return found(rest, lowLatencyMpd(title, form, madeUntil, madeAt), publishedAt)
    }
    if (rest === 'manifest.mpp' && form === 'timeline') return this.#patch(rest, query, madeUntil)
    if (form === 'number') {
      const [, track, number] = SEGMENT.exec(rest) ?? []
      return this.#segment(track, Number(number), rest, madeUntil, true)
    }
    const [, name, time] = TIMED_SEGMENT.exec(rest) ?? []
    const track = this.#trackNamed(name)
    const number = track === undefined ? undefined : numberAtTime(title, track, Number(time))
    return number === undefined ? undefined : this.#segment(name, number, rest, madeUntil, true)
  }

  /** With the status codes of livesim2: 425 when nothing has changed yet, 410 when the patch would be too long. */
  #patch(path: string, query: string, madeUntil: Instant): Found {
    const from = new URLSearchParams(query).get('publishTime') ?? ''
    const patch = lowLatencyMpdPatch(this.#chunked.title, from, madeUntil)
    switch (patch) {
      case 'unchanged':
        return { kind: 'refused', status: 425, message: `The MPD is still that of ${from}.` }
      case 'too-old':
        return {
          kind: 'refused',
          status: 410,
          message: `There are patches for ${PATCH_SECONDS} s, not from ${from}.`,
        }
      case 'unknown':
        return {
          kind: 'refused',
          status: 400,
          message: `publishTime is expected to be that of an MPD from here; it is "${from}".`,
        }
      default:
        return found(path, patch, publishedBefore(madeUntil, this.#segmentMs))
    }
  }

  #segment(
    name: string | undefined,
    number: number,
    path: string,
    madeUntil: Instant,
    mayGrow: boolean,
  ): Found | undefined {
    const track = this.#trackNamed(name)
    if (track === undefined) return undefined
    const segment = new GrowingSegment(this.#chunked, track, number)
    if (isSegmentServable(number, madeUntil, this.#segmentMs))
      return { kind: 'resource', resource: makeResource(path, segment.whole(), segment.completeAt) }
    const isInProduction = number === edgeAt(madeUntil, this.#segmentMs).number
    return mayGrow && isInProduction ? { kind: 'growing', segment, path } : undefined
  }

  #init({ name }: Track): Found | undefined {
    const resource = this.#source.files.get(`${this.#source.folder}fmp4/${name}/init.mp4`)
    return resource === undefined ? undefined : { kind: 'resource', resource }
  }

  #trackNamed(name: string | undefined): Track | undefined {
    const { video, audio } = this.#chunked.title
    return [...video, audio].find((track) => track.name === name)
  }

  get #segmentMs(): number {
    return this.#chunked.title.segmentSeconds * 1000
  }
}

function found(path: string, text: string, lastModifiedAt: Instant): Found {
  return { kind: 'resource', resource: textResource(path, text, lastModifiedAt) }
}

function textResource(path: string, text: string, lastModifiedAt: Instant): Resource {
  return makeResource(path, new TextEncoder().encode(text), lastModifiedAt)
}
