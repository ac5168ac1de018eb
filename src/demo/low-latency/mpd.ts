/** The low-latency MPDs of the demo title and the patch between two versions of one, as pure functions of the instant. */
import type { Instant } from '../../rfc/heads.ts'
import { numbersOf, WINDOW_SEGMENTS } from '../live-window.ts'
import type { Title, Track } from '../title.ts'
import { durationTicks, startTicks } from '../title.ts'
import { edgeAt, PARTS_PER_SEGMENT } from './part-clock.ts'

/**
 * `number`: one MPD for ever, its segments counted by duration; `timeline`: a new one each segment, which lists them
 * by their times and can be had as a patch.
 */
export type MpdForm = 'number' | 'timeline'

/** Where the MPD says that the time is told, relative to itself. */
const TIME_PATH = '../../live/time'

/** In an MPD with a timeline; the patch says of which one it is. */
const MPD_ID = 'bars'

/** Patches are made for so long after the MPD they start from; a shorter time than that of the window. */
export const PATCH_SECONDS = 20

/**
 * A viewer learns of a segment with the next MPD, which may be a segment duration after it began, and then has to fetch
 * it; where nothing has to be learnt, the first chunk and a little are enough.
 */
const LATENCY_MS: Readonly<Record<MpdForm, number>> = { number: 1500, timeline: 3500 }
const UTC_TIMING = `<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-xsdate:2014" value="${TIME_PATH}"/>`

/** `madeAt` is when the title was made: the MPD that never changes has been published then. */
export function lowLatencyMpd(title: Title, form: MpdForm, madeUntil: Instant, madeAt: Instant): string {
  const { segmentSeconds, video, audio } = title
  const isTimeline = form === 'timeline'
  const publishedAt = isTimeline ? publishedBefore(madeUntil, segmentSeconds * 1000) : madeAt
  const last = publishedAt / 1000 / segmentSeconds
  const template = (track: Track): string =>
    isTimeline ? timelineTemplate(title, track, last) : numberTemplate(title)
  const representations = video.map(
    ({ name, peak, codecs, width, height }) =>
      `      <Representation id="${name}" bandwidth="${peak}" codecs="${codecs}" width="${width}" height="${height}" sar="1:1"/>`,
  )
  const id = isTimeline ? ` id="${MPD_ID}"` : ''
  const patch = isTimeline ? `\n  ${patchLocation(publishedAt)}` : ''
  const update = isTimeline ? ` minimumUpdatePeriod="PT${segmentSeconds}S"` : ' minimumUpdatePeriod="PT60S"'
  // Every video track is cut alike, so one template serves them all.
  const [firstVideo = audio] = video
  return `<?xml version="1.0" encoding="utf-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"${id} type="dynamic" profiles="urn:mpeg:dash:profile:isoff-live:2011,http://www.dashif.org/guidelines/low-latency-live-v5" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="${dateOf(publishedAt)}"${update} timeShiftBufferDepth="PT${WINDOW_SEGMENTS * segmentSeconds}S" suggestedPresentationDelay="PT${LATENCY_MS[form] / 1000}S" minBufferTime="PT${segmentSeconds}S" maxSegmentDuration="PT${segmentSeconds}S">${patch}
  <ServiceDescription id="0"><Latency referenceId="0" target="${LATENCY_MS[form]}" min="1000" max="6000"/><PlaybackRate min="0.96" max="1.04"/></ServiceDescription>
  <Period id="0" start="PT0S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" frameRate="25" par="16:9">
${producerReferenceTime()}
${template(firstVideo)}
${representations.join('\n')}
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">
${producerReferenceTime()}
${template(audio)}
      <Representation id="${audio.name}" bandwidth="${audio.peak}" codecs="${audio.codecs}" audioSamplingRate="48000"/>
    </AdaptationSet>
  </Period>
  ${UTC_TIMING}
</MPD>
`
}

/** A patch; or why there is none: nothing has changed yet, it is too long ago, or never was published. */
export type MpdPatch = string | 'unchanged' | 'too-old' | 'unknown'

/** What makes the MPD published at `from` (as it stood in its PatchLocation) the one of now. */
export function lowLatencyMpdPatch(title: Title, from: string, madeUntil: Instant): MpdPatch {
  const segmentMs = title.segmentSeconds * 1000
  const fromAt = Date.parse(from)
  const publishedAt = publishedBefore(madeUntil, segmentMs)
  if (!Number.isInteger(fromAt / segmentMs) || dateOf(fromAt) !== from || fromAt > publishedAt)
    return 'unknown'
  if (fromAt === publishedAt) return 'unchanged'
  if (publishedAt - fromAt > PATCH_SECONDS * 1000) return 'too-old'
  const [first, last] = [fromAt / segmentMs + 1, publishedAt / segmentMs]
  const changes = [title.video[0] ?? title.audio, title.audio].map((track, set) => {
    const timeline = `/MPD/Period[@id='0']/AdaptationSet[@id='${set}']/SegmentTemplate/SegmentTimeline`
    const gone = numbersOf({ first, last }).map(() => `  <remove sel="${timeline}/S[1]"/>`)
    const come = numbersOf({ first, last }).map((number) => `    ${timelineEntry(title, track, number)}`)
    return [...gone, `  <add sel="${timeline}">`, ...come, '  </add>'].join('\n')
  })
  return `<?xml version="1.0" encoding="utf-8"?>
<Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="${MPD_ID}" originalPublishTime="${from}" publishTime="${dateOf(publishedAt)}">
  <replace sel="/MPD/@publishTime">${dateOf(publishedAt)}</replace>
  <replace sel="/MPD/PatchLocation[1]">
    ${patchLocation(publishedAt)}
  </replace>
${changes.join('\n')}
</Patch>
`
}

/** The MPD with a timeline is published anew when a segment begins, and lists that segment too. */
export function publishedBefore(madeUntil: Instant, segmentMs: number): Instant {
  return edgeAt(madeUntil, segmentMs).number * segmentMs
}

/** The number of the segment that begins at `time` in ticks, as `$Time$` names it; undefined when none does. */
export function numberAtTime(title: Title, track: Track, time: number): number | undefined {
  const number = Math.floor(time / track.timescale / title.segmentSeconds)
  return startTicks(title, track, number) === time ? number : undefined
}

/** A segment may be asked for as soon as its first chunk is made, and comes as it is made from there on. */
function availability({ segmentSeconds }: Title): string {
  const offset = segmentSeconds - segmentSeconds / PARTS_PER_SEGMENT
  return `availabilityTimeOffset="${offset}" availabilityTimeComplete="false"`
}

function numberTemplate(title: Title): string {
  return `      <SegmentTemplate timescale="1" duration="${title.segmentSeconds}" startNumber="0" ${availability(title)} initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s"/>`
}

function timelineTemplate(title: Title, track: Track, last: number): string {
  const numbers = numbersOf({ first: Math.max(0, last - WINDOW_SEGMENTS), last })
  return `      <SegmentTemplate timescale="${track.timescale}" ${availability(title)} initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/t$Time$.m4s">
        <SegmentTimeline>
${numbers.map((number) => `          ${timelineEntry(title, track, number)}`).join('\n')}
        </SegmentTimeline>
      </SegmentTemplate>`
}

/** One an entry, with its time, so that a patch takes away from the front and adds at the end. */
function timelineEntry(title: Title, track: Track, number: number): string {
  return `<S t="${startTicks(title, track, number)}" d="${durationTicks(title, track, number)}"/>`
}

function patchLocation(publishedAt: Instant): string {
  const query = `publishTime=${encodeURIComponent(dateOf(publishedAt))}`
  return `<PatchLocation ttl="${PATCH_SECONDS}">manifest.mpp?${query}</PatchLocation>`
}

/** Presentation time 0 is the epoch of Unix: what plays at t was on air at t. */
function producerReferenceTime(): string {
  return `      <ProducerReferenceTime id="0" type="encoder" wallClockTime="1970-01-01T00:00:00Z" presentationTime="0">${UTC_TIMING}</ProducerReferenceTime>`
}

function dateOf(instant: Instant): string {
  return new Date(instant).toISOString()
}
