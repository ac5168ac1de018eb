import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../../support/client.ts'
import { NUMBER, openLowLatency, PART_MS, START, streams, textAt } from './demo.ts'

const MPD = '/ll/patch/manifest.mpd'

/** What each adaptation set's timeline lists. */
function timelinesOf(mpd: string): { t: number; d: number }[][] {
  return [...mpd.matchAll(/<SegmentTimeline>(.*?)<\/SegmentTimeline>/gs)].map(([, entries = '']) =>
    [...entries.matchAll(/<S t="(\d+)" d="(\d+)"\/>/g)].map(([, t, d]) => ({ t: Number(t), d: Number(d) })),
  )
}

function patchAddress(mpd: string): string {
  const [, address = ''] = /<PatchLocation ttl="20">(.*?)<\/PatchLocation>/.exec(mpd) ?? []
  return `/ll/patch/${address}`
}

/** Applies the operations that these patches have, in their order, to the text of an MPD. */
function applied(mpd: string, patch: string): string {
  const sets = mpd.split(/(?=<AdaptationSet )/)
  const attribute = /sel="\/MPD\/@publishTime">(.*?)</.exec(patch)?.[1] ?? assert.fail('no publishTime')
  const location = /<PatchLocation.*<\/PatchLocation>/.exec(patch)?.[0] ?? assert.fail('no PatchLocation')
  for (const [operation, set = ''] of patch.matchAll(
    /<remove sel="[^"]*AdaptationSet\[@id='(\d)'\][^"]*S\[1\]"\/>/g,
  )) {
    const at = Number(set) + 1
    assert.match(operation, /remove/)
    sets[at] = (sets[at] ?? '').replace(/ *<S [^>]*>\n/, '')
  }
  for (const [, set = '', added = ''] of patch.matchAll(
    /<add sel="[^"]*AdaptationSet\[@id='(\d)'\][^"]*">\n(.*?) {2}<\/add>/gs,
  )) {
    const at = Number(set) + 1
    const entries = added.replace(/^ */gm, '          ').trimEnd()
    sets[at] = (sets[at] ?? '').replace(
      '        </SegmentTimeline>',
      `${entries.trimEnd()}\n        </SegmentTimeline>`,
    )
  }
  return sets
    .join('')
    .replace(/ publishTime="[^"]*"/, ` publishTime="${attribute}"`)
    .replace(/<PatchLocation.*<\/PatchLocation>/, location)
}

test('both MPDs say how low the latency is to be, and that segments come while they are made', () => {
  for (const path of ['/ll/dash/manifest.mpd', MPD]) {
    const mpd = textAt(path, START)
    assert.match(mpd, /availabilityTimeOffset="1.6" availabilityTimeComplete="false"/)
    assert.match(mpd, /<ServiceDescription id="0"><Latency referenceId="0" target="\d+"/)
    assert.match(
      mpd,
      /<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-xsdate:2014" value="\.\.\/\.\.\/live\/time"\/>/,
    )
    assert.match(mpd, /<ProducerReferenceTime id="0"/)
  }
})

test('the MPD by number never changes, and its segments are numbered by the wall clock', async (t) => {
  const { url } = await openLowLatency(t, { start: START + PART_MS })
  const path = '/ll/dash/manifest.mpd'
  assert.equal(textAt(path, START), textAt(path, START + 3_600_000))
  const [, duration] = /duration="(\d+)" startNumber="0"/.exec(textAt(path, START)) ?? []
  assert.equal(Number(duration), 2)
  assert.equal((await get(`${url}/ll/dash/360p/${NUMBER - 1}.m4s`)).status, 200)
})

test('the timeline goes on to the segment in production, and each that it lists can be had by its time', () => {
  for (const now of [START, START + 1999, START + 26_000]) {
    const number = Math.floor(now / 2000)
    const timelines = timelinesOf(textAt(MPD, now))
    assert.equal(timelines.length, 2)
    for (const [set, name] of ['360p', 'audio'].entries()) {
      const listed = timelines[set] ?? []
      assert.equal(listed.length, 16)
      for (const [at, { t, d }] of listed.entries()) {
        const found = streams.find(`/ll/patch/${name}/t${t}.m4s`, '', now)
        assert.equal(found?.kind, at === 15 ? 'growing' : 'resource', `${name} ${t}`)
        if (found?.kind === 'growing') assert.equal(found.segment.number, number)
        assert.equal(t + d, listed[at + 1]?.t ?? t + d)
        assert.equal(streams.find(`/ll/patch/${name}/t${t + 1}.m4s`, '', now), undefined)
      }
    }
  }
})

test('a patch makes of the MPD before the MPD of now, from any that is at most its time to live old', () => {
  for (const steps of [1, 2, 5, 10]) {
    const [before, now] = [textAt(MPD, START), textAt(MPD, START + steps * 2000)]
    const [path = '', query = ''] = patchAddress(before).split('?')
    const patch = textAt(path, START + steps * 2000 + 5, query)
    assert.equal(applied(before, patch), now, `${steps} segments later`)
    assert.match(patch, /mpdId="bars" originalPublishTime="2026-11-23T10:00:00.000Z"/)
  }
})

test('there is no patch when nothing has changed, when it is too late, or from what was never published', async (t) => {
  const { url, clock } = await openLowLatency(t)
  const address = patchAddress(textAt(MPD, START))
  assert.equal((await get(`${url}${address}`)).status, 425)
  clock.advance(2000)
  const patch = await get(`${url}${address}`)
  assert.equal(patch.status, 200)
  assert.equal(patch.headers['content-type'], 'application/dash-patch+xml')
  clock.advance(20_000)
  assert.equal((await get(`${url}${address}`)).status, 410)
  for (const query of [
    '',
    '?publishTime=',
    '?publishTime=yesterday',
    '?publishTime=2026-11-23T10:00:01.000Z',
  ]) {
    const { status, body } = await get(`${url}/ll/patch/manifest.mpp${query}`)
    assert.equal(status, 400, query)
    assert.match(body.toString(), /publishTime is expected/)
  }
  assert.equal((await get(`${url}/ll/dash/manifest.mpp${address.slice(address.indexOf('?'))}`)).status, 404)
})
