/** A DASH stream that begins anew under the same MPD leaves nothing of the run before. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

async function text(url: string): Promise<string> {
  return (await get(url)).body.toString()
}

test('another run under the same MPD, whose timeline begins again, voids the segments and the beginning of the one before', async (t) => {
  const written = (
    published: number,
    timeline: string,
  ): string => `<MPD type="dynamic" minimumUpdatePeriod="PT2S"
    availabilityStartTime="2025-01-01T00:00:00Z" publishTime="2025-06-01T00:0${published}:00Z"><Period id="0" start="PT0S">
    <AdaptationSet><SegmentTemplate media="$Time$.m4s" initialization="init.mp4"><SegmentTimeline>${timeline}</SegmentTimeline>
    </SegmentTemplate><Representation id="v" bandwidth="1"/></AdaptationSet></Period></MPD>`
  let shown = written(1, '<S t="0" d="4" r="9"/>')
  const origin = await openOrigin(t, (request, response) => {
    const target = request.url ?? ''
    reply(response, target.endsWith('.mpd') ? shown : `${target} ${origin.count(target)}`)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const names = ['/live/init.mp4', '/live/0.m4s']
  await get(`${relais.url}/live/a.mpd`)
  for (const target of names) assert.match(await text(relais.url + target), /1$/)
  shown = written(2, '<S t="0" d="4"/>')
  relais.clock.advance(5_000)
  assert.equal(await text(`${relais.url}/live/a.mpd`), shown)
  for (const target of names) assert.match(await text(relais.url + target), /2$/, target)
})
