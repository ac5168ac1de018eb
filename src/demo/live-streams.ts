/** What is found under /live/ at an instant: manifests, and segments of the title moved to where the loop stands. */
import type { Instant } from '../rfc/heads.ts'
import type { FixtureFiles } from './fixture-files.ts'
import { liveMpd } from './live-dash.ts'
import type { LiveContainer } from './live-hls.ts'
import { liveMediaPlaylist, liveMultivariant } from './live-hls.ts'
import { completeAt, isServable, windowAt } from './live-window.ts'
import { moveInTime } from './mp4-timestamps.ts'
import type { Resource } from './resource.ts'
import { makeResource } from './resource.ts'
import type { Title, Track } from './title.ts'
import { loopTicks, placeOf } from './title.ts'

export interface LiveSource {
  readonly files: FixtureFiles
  /** The folder of the title in `files`, with a slash at its end. */
  readonly folder: string
  /** When the title was made: a live multivariant playlist changes with it alone. */
  readonly madeAt: Instant
  readonly title: Title
}

/** The resource at a path under /live/; undefined where there is none, not yet or no longer. */
export function liveResource(source: LiveSource, path: string, now: Instant): Resource | undefined {
  const match = /^\/live\/(ts|fmp4)\/(.+)$/.exec(path)
  if (match === null) return undefined
  const container: LiveContainer = match[1] === 'ts' ? 'ts' : 'fmp4'
  const rest = match[2] ?? ''
  return manifestAt(source, container, rest, now) ?? segmentAt(source, container, rest, now)
}

function manifestAt(
  { title, madeAt }: LiveSource,
  container: LiveContainer,
  name: string,
  now: Instant,
): Resource | undefined {
  if (name === 'main.m3u8') return textResource(name, liveMultivariant(title, container), madeAt)
  const segmentMs = title.segmentSeconds * 1000
  const changedAt = completeAt(windowAt(now, segmentMs).last, segmentMs)
  if (container === 'fmp4' && name === 'manifest.mpd')
    return textResource(name, liveMpd(title, now), changedAt)
  const track = trackNamed(title, container, /^([^/]+)\.m3u8$/.exec(name)?.[1])
  if (track === undefined) return undefined
  return textResource(name, liveMediaPlaylist(title, track, container, now), changedAt)
}

function segmentAt(
  { files, folder, title }: LiveSource,
  container: LiveContainer,
  name: string,
  now: Instant,
): Resource | undefined {
  const [, trackName, stem] = /^([^/]+)\/(init|0|[1-9]\d{0,14})\.(?:ts|m4s|mp4)$/.exec(name) ?? []
  const track = trackNamed(title, container, trackName)
  if (track === undefined) return undefined
  if (stem === 'init') return files.get(`${folder}${container}/${name}`)
  const number = Number(stem)
  const segmentMs = title.segmentSeconds * 1000
  if (!isServable(number, now, segmentMs)) return undefined
  const { loop, index } = placeOf(title, number)
  const extension = name.slice(name.lastIndexOf('.'))
  const fixture = files.get(`${folder}${container}/${track.name}/${index}${extension}`)
  if (fixture === undefined) return undefined
  if (container === 'ts') return { ...fixture, lastModifiedAt: completeAt(number, segmentMs) }
  const bytes = moveInTime(fixture.bytes, { ticks: loop * loopTicks(title, track), sequence: number + 1 })
  return makeResource(name, bytes, completeAt(number, segmentMs))
}

function trackNamed(title: Title, container: LiveContainer, name: string | undefined): Track | undefined {
  if (container === 'fmp4' && name === title.audio.name) return title.audio
  return title.video.find((video) => video.name === name)
}

function textResource(path: string, text: string, lastModifiedAt: Instant): Resource {
  return makeResource(path, new TextEncoder().encode(text), lastModifiedAt)
}
