/** The live MPD of the demo title, as a pure function of the instant; its segments are those of live HLS in fMP4. */
import type { Instant } from '../rfc/heads.ts'
import type { LiveWindow } from './live-window.ts'
import { completeAt, numbersOf, WINDOW_SEGMENTS, windowAt } from './live-window.ts'
import type { Title, Track } from './title.ts'
import { durationTicks, startTicks } from './title.ts'

/** Where the MPD says that the time is told, relative to itself. */
export const TIME_PATH = '../time'

/** Behind the live edge: four segments, so that a refresh of the MPD may come late through a cache. */
const PRESENTATION_DELAY_SECONDS = 8

export function liveMpd(title: Title, now: Instant): string {
  const { segmentSeconds, video, audio } = title
  const window = windowAt(now, segmentSeconds * 1000)
  const publishedAt = completeAt(window.last, segmentSeconds * 1000)
  const representations = video.map(
    ({ name, peak, codecs, width, height }) =>
      `      <Representation id="${name}" bandwidth="${peak}" codecs="${codecs}" width="${width}" height="${height}" sar="1:1"/>`,
  )
  // Every video track is cut alike, so one timeline serves them all.
  const videoTemplate = video[0] === undefined ? '' : segmentTemplate(title, video[0], window)
  return `<?xml version="1.0" encoding="utf-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" profiles="urn:mpeg:dash:profile:isoff-live:2011" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="${new Date(publishedAt).toISOString()}" minimumUpdatePeriod="PT${segmentSeconds}S" timeShiftBufferDepth="PT${WINDOW_SEGMENTS * segmentSeconds}S" suggestedPresentationDelay="PT${PRESENTATION_DELAY_SECONDS}S" minBufferTime="PT${segmentSeconds}S" maxSegmentDuration="PT${segmentSeconds}S">
  <Period id="0" start="PT0S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" frameRate="25" par="16:9">
${videoTemplate}
${representations.join('\n')}
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">
${segmentTemplate(title, audio, window)}
      <Representation id="${audio.name}" bandwidth="${audio.peak}" codecs="${audio.codecs}" audioSamplingRate="48000"/>
    </AdaptationSet>
  </Period>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-xsdate:2014" value="${TIME_PATH}"/>
</MPD>
`
}

function segmentTemplate(title: Title, track: Track, window: LiveWindow): string {
  const runs: { duration: number; repeat: number }[] = []
  for (const number of numbersOf(window)) {
    const duration = durationTicks(title, track, number)
    const last = runs.at(-1)
    if (last?.duration === duration) last.repeat += 1
    else runs.push({ duration, repeat: 0 })
  }
  const timeline = runs.map(({ duration, repeat }, at) => {
    const start = at === 0 ? ` t="${startTicks(title, track, window.first)}"` : ''
    return `          <S${start} d="${duration}"${repeat > 0 ? ` r="${repeat}"` : ''}/>`
  })
  return `      <SegmentTemplate timescale="${track.timescale}" startNumber="${window.first}" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s">
        <SegmentTimeline>
${timeline.join('\n')}
        </SegmentTimeline>
      </SegmentTemplate>`
}
