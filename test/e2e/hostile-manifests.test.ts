/** Manifests that nobody should send: what viewers get instead, and that nothing of them stays. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const MEGABYTE = 1024 * 1024
const LIVE = { 'cache-control': 'max-age=2, stale-if-error=60' }

function playlist(sequence: number | string, lines = ''): string {
  return `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:${sequence}\n#EXTINF:4,\n${sequence}.ts\n${lines}`
}

function mpd(version: number, content = '<Period start="PT0S"/>', declaration = ''): string {
  return `${declaration}<MPD type="dynamic" minimumUpdatePeriod="PT2S" publishTime="2026-01-01T00:00:0${version}Z">${content}</MPD>`
}

const LAUGHS = `<!DOCTYPE MPD [<!ENTITY a0 "ha">${Array.from({ length: 30 }, (_, at) => `<!ENTITY a${at + 1} "&a${at};&a${at};">`).join('')}]>`

interface Refused {
  readonly name: string
  readonly kind: 'm3u8' | 'mpd'
  readonly body: () => string | Buffer
  readonly headers?: Record<string, string>
  /** What the log says of it. */
  readonly told: string
}

const REFUSED: readonly Refused[] = [
  {
    name: 'a playlist of 50 MB',
    kind: 'm3u8',
    body: () => playlist(1, '#EXTINF:4,\nsegment.ts\n'.repeat((50 * MEGABYTE) / 22)),
    told: 'expected at most 16777216 bytes, came more',
  },
  {
    name: 'a playlist of 50 MB in 50 KB of gzip',
    kind: 'm3u8',
    body: () => gzipSync(Buffer.alloc(50 * MEGABYTE, '#EXTM3U\n')),
    headers: { 'content-encoding': 'gzip' },
    told: 'expected at most 16777216 bytes, came more in gzip',
  },
  {
    name: 'a playlist without EXT-X-TARGETDURATION and segments',
    kind: 'm3u8',
    body: () => '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n',
    told: 'expected a media playlist with EXT-X-TARGETDURATION or segments, came one without either',
  },
  {
    name: 'a playlist that is multivariant and media at once',
    kind: 'm3u8',
    body: () => playlist(1, '#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n'),
    told: 'expected a multivariant or a media playlist, came the tags of both',
  },
  {
    name: 'a playlist that stops within a segment',
    kind: 'm3u8',
    body: () => playlist(2, '#EXTINF:4,\n'),
    told: 'expected an address after the last #EXTINF, came the end of the playlist',
  },
  {
    name: 'a long playlist that stops within a segment',
    kind: 'm3u8',
    body: () => playlist(2, `${'#EXTINF:4,\nsegment.ts\n'.repeat(100_000)}#EXTINF:4,\n`),
    told: 'expected an address after the last #EXTINF, came the end of the playlist',
  },
  {
    name: 'a segment with a hundred thousand parts',
    kind: 'm3u8',
    body: () => playlist(2, `${'#EXT-X-PART:DURATION=1,URI="p"\n'.repeat(100_000)}#EXTINF:4,\ns.ts\n`),
    told: 'expected a segment with at most 1024 tags of its own, came one with more',
  },
  {
    name: 'an MPD of 50 MB',
    kind: 'mpd',
    body: () => mpd(1, `<Period>${' '.repeat(50 * MEGABYTE)}</Period>`),
    told: 'expected at most 16777216 bytes, came more',
  },
  {
    name: 'an MPD of entities that are made of entities',
    kind: 'mpd',
    body: () => mpd(1, '<Period><BaseURL>&a30;</BaseURL></Period>', LAUGHS),
    told: 'came a document type declaration',
  },
  {
    name: 'an MPD with a document type of somewhere else',
    kind: 'mpd',
    body: () => mpd(1, '<Period/>', '<!DOCTYPE MPD SYSTEM "http://127.0.0.1:1/x.dtd">'),
    told: 'came a document type declaration',
  },
  {
    name: 'an MPD that names an entity nobody has declared',
    kind: 'mpd',
    body: () => mpd(1, '<Period><BaseURL>&xxe;</BaseURL></Period>'),
    told: 'expected a whole XML document, came one with an error',
  },
  {
    name: 'an MPD a million elements deep',
    kind: 'mpd',
    body: () => mpd(1, '<Period>'.repeat(1_000_000)),
    told: 'came elements more than 64 deep',
  },
  {
    name: 'an MPD with an attribute that does not end',
    kind: 'mpd',
    body: () => mpd(1, `<Period id="${'x'.repeat(5 * MEGABYTE)}`),
    told: 'without its end',
  },
]

for (const { name, kind, body, headers = {}, told } of REFUSED) {
  test(`${name}: the stale one where it may stand in, else an error; nothing is stored, and the next good one comes at once`, async (t) => {
    const good = (version: number) => (kind === 'mpd' ? mpd(version) : playlist(version))
    const hostile = body()
    let version = 1
    const origin = await openOrigin(t, (_request, response) => reply(response, good(version), LIVE))
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const [warm, cold] = [`${relais.url}/warm/a.${kind}`, `${relais.url}/cold/a.${kind}`]
    assert.equal(String((await get(warm)).body), good(1))
    relais.clock.advance(3_000)
    const before = await settled(relais)
    origin.answer((_request, response) => reply(response, hostile, { ...LIVE, ...headers }))
    const stale = await get(warm)
    assert.equal(stale.status, 200)
    assert.equal(String(stale.body), good(1))
    assert.match(String(stale.headers['cache-status']), /detail=stale-if-error/)
    for (let viewer = 0; viewer < 2; viewer++) {
      const refused = await get(cold)
      assert.equal(refused.status, 502)
      assert.equal(JSON.parse(String(refused.body)).error, 'BAD_MANIFEST')
      assert.equal(refused.headers['cache-control'], 'no-store')
    }
    assert.equal(origin.count(`/cold/a.${kind}`), 2)
    assert.ok(JSON.stringify(relais.log).includes(JSON.stringify(told).slice(1, -1)), told)
    const after = await settled(relais)
    assert.equal(after.memory.entries, 1)
    // What is too much is not read to its end.
    assert.ok(after.bytes.fromOrigin - before.bytes.fromOrigin < 3 * 18 * MEGABYTE)
    version = 2
    origin.answer((_request, response) => reply(response, good(version), LIVE))
    for (const url of [warm, cold]) assert.equal(String((await get(url)).body), good(2))
  })
}

interface Taken {
  readonly name: string
  readonly path: string
  readonly body: () => string
}

const S = '<S t="0" d="2" r="2147483648"/>'
const TAKEN: readonly Taken[] = [
  {
    name: 'a playlist of a million lines',
    path: '/a.m3u8',
    body: () => playlist(1, '#EXTINF:4,\ns.ts\n'.repeat(500_000)),
  },
  {
    name: 'a line of 10 MB',
    path: '/a.m3u8',
    body: () => playlist(1, `#EXTINF:4,\n${'x'.repeat(10 * MEGABYTE)}\n`),
  },
  {
    name: 'a tag of 10 MB',
    path: '/a.m3u8',
    body: () => playlist(1, `#EXT-X-KEY:URI="${',A="b"'.repeat(1_500_000)}\n`),
  },
  {
    name: 'attribute lists with unclosed quotes',
    path: '/a.m3u8',
    body: () => playlist(1, '#EXT-X-MAP:URI="init.mp4\n#EXT-X-KEY:METHOD=AES-128,URI="\n#EXT-X-PART:,,="\n'),
  },
  {
    name: 'numbers below zero, beyond 2^64, and none',
    path: '/a.m3u8',
    body: () =>
      `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:18446744073709551616\n#EXT-X-DISCONTINUITY-SEQUENCE:-1\n#EXTINF:-4,\n#EXT-X-BYTERANGE:-1@99999999999999999999\na.ts\n#EXTINF:NaN,\nb.ts\n#EXTINF:1e308,\nc.ts\n`,
  },
  {
    name: 'segments without EXT-X-TARGETDURATION',
    path: '/a.m3u8',
    body: () => '#EXTM3U\n#EXTINF:4,\na.ts\n',
  },
  {
    name: 'a multivariant playlist that lists itself',
    path: '/a.m3u8',
    body: () =>
      '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="/a.m3u8"\n',
  },
  {
    name: 'an MPD of 100,000 S elements',
    path: '/a.mpd',
    body: () =>
      mpd(
        1,
        `<Period start="PT0S"><AdaptationSet><Representation id="r"><SegmentTemplate media="$Time$.m4s"><SegmentTimeline>${Array.from({ length: 100_000 }, (_, at) => `<S t="${at * 9}" d="${1 + (at % 5)}"/>`).join('')}</SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period>`,
      ),
  },
  {
    name: 'an S element with r of 2^31, and times beyond 2^64',
    path: '/a.mpd',
    body: () =>
      mpd(
        1,
        `<Period start="PT0S"><AdaptationSet><Representation id="r"><SegmentTemplate media="$Time$.m4s"><SegmentTimeline>${S}<S t="99999999999999999999" d="1"/><S d="18446744073709551615" r="9007199254740991"/>${S}</SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period>`,
      ),
  },
]

for (const { name, path, body } of TAKEN) {
  test(`${name}: comes as it is, for one request to the origin, and nothing else is asked for because of it`, async (t) => {
    const text = body()
    const origin = await openOrigin(t, (_request, response) =>
      reply(response, text, { 'cache-control': 'max-age=60' }),
    )
    const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments: 4 } } })
    for (let viewer = 0; viewer < 2; viewer++) {
      const answer = await get(relais.url + path)
      assert.equal(answer.status, 200)
      assert.ok(String(answer.body) === text)
    }
    await settled(relais)
    assert.equal(origin.count(), 1)
    assert.match(String((await get(relais.url + path)).headers['cache-status']), /; hit/)
  })
}

test('a sequence number that jumps and comes back is believed for some target durations, and then no more', async (t) => {
  let sequence: number | string = 10
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(sequence)))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const ask = async (): Promise<string> => String((await get(`${relais.url}/a.m3u8`)).body)
  assert.equal(await ask(), playlist(10))
  sequence = '18446744073709551615'
  relais.clock.advance(3_000)
  assert.equal(await ask(), playlist('18446744073709551615'))
  sequence = 12
  relais.clock.advance(3_000)
  assert.equal(await ask(), playlist('18446744073709551615'))
  await until(async () => {
    relais.clock.advance(3_000)
    return (await ask()) === playlist(12)
  }, 'the stream is what its origin says')
})
