/** Addresses in manifests that point into the network of whoever runs Relais: nobody is asked on their word. */
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

/** A neighbour that nobody has configured, and that no connection may come to. */
async function openNeighbour(t: TestContext): Promise<{ port: number; connections(): number }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined) // it is about the connection alone
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret'))
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { port: address.port, connections: () => sockets.size }
}

/** The neighbour by all its names, and what clouds tell of their machines. */
function inward(port: number): readonly string[] {
  return [
    `http://127.0.0.1:${port}`,
    `http://localhost:${port}`,
    `http://127.1:${port}`,
    `http://2130706433:${port}`,
    `http://[::1]:${port}`,
    `http://[::ffff:127.0.0.1]:${port}`,
    `//127.0.0.1:${port}`,
    'http://169.254.169.254/latest/meta-data',
    'http://[fe80::1]',
    'http://metadata.google.internal',
  ]
}

/** All that was set out for has come, also what is looked for in turns of its own. */
async function idle(relais: TestRelais): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
  await settled(relais)
}

const PREFETCH = { prefetch: { segments: 8 } }
const PLAYLIST = ['#EXTM3U', '#EXT-X-TARGETDURATION:4', '#EXTINF:4,', 's0.ts']

test('a playlist may name whatever it likes: segments, keys, maps, renditions, assets and steering come through as written', async (t) => {
  const neighbour = await openNeighbour(t)
  const at = inward(neighbour.port)
  const media = [
    ...PLAYLIST,
    ...at.flatMap((host, index) => [
      `#EXT-X-KEY:METHOD=AES-128,URI="${host}/key${index}"`,
      `#EXT-X-MAP:URI="${host}/init${index}.mp4"`,
      `#EXT-X-DATERANGE:ID="${index}",CLASS="com.apple.hls.interstitial",START-DATE="2026-01-01T00:00:00Z",X-ASSET-LIST="${host}/list"`,
      '#EXTINF:4,',
      `${host}/s${index}.ts`,
    ]),
    '',
  ].join('\n')
  const multivariant = [
    '#EXTM3U',
    `#EXT-X-CONTENT-STEERING:SERVER-URI="${at[0]}/steer"`,
    ...at.flatMap((host) => [
      `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="${host}/a.m3u8"`,
      '#EXT-X-STREAM-INF:BANDWIDTH=1',
      `${host}/v.m3u8`,
    ]),
    '',
  ].join('\n')
  const origin = await openOrigin(t, (request, response) =>
    reply(
      response,
      request.url === '/m.m3u8' ? multivariant : request.url === '/v.m3u8' ? media : 'segment',
      request.url?.endsWith('.ts') ? { 'cmsd-static': `nor="${encodeURIComponent(`${at[0]}/nor.ts`)}"` } : {},
    ),
  )
  const relais = await openTestRelais(t, { origins: [origin.url], file: PREFETCH })
  for (let round = 0; round < 3; round++) {
    assert.equal(String((await get(`${relais.url}/m.m3u8`)).body), multivariant)
    assert.equal(String((await get(`${relais.url}/v.m3u8`)).body), media)
    const nor = encodeURIComponent(`nor="${encodeURIComponent(`${at[0]}/cmcd.ts`)}"`)
    assert.equal(String((await get(`${relais.url}/s0.ts?CMCD=${nor}`)).body), 'segment')
    await idle(relais)
    relais.clock.advance(6_000)
  }
  assert.equal(neighbour.connections(), 0)
})

test('an MPD may name whatever it likes: bases, templates, updates, patches, clocks, remote elements come through as written', async (t) => {
  const neighbour = await openNeighbour(t)
  const at = inward(neighbour.port)
  const timeline = '<SegmentTimeline><S t="0" d="4" r="30"/></SegmentTimeline>'
  const mpd = [
    '<MPD type="dynamic" minimumUpdatePeriod="PT2S" availabilityStartTime="2025-12-31T23:59:00Z">',
    ...at.map((host) => `<Location>${host}/m.mpd</Location><PatchLocation>${host}/m.mpp</PatchLocation>`),
    ...at.map((host) => `<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="${host}/time"/>`),
    ...at.map((host) => `<Period xlink:href="${host}/p.xml"/>`),
    `<Period start="PT0S"><AdaptationSet><Representation id="own"><SegmentTemplate media="own/$Number$.m4s">${timeline}</SegmentTemplate></Representation></AdaptationSet>`,
    ...at.map(
      (host, index) =>
        `<AdaptationSet><BaseURL>${host}/</BaseURL><Representation id="b${index}"><SegmentTemplate media="own/$Number$.m4s">${timeline}</SegmentTemplate></Representation></AdaptationSet>`,
    ),
    ...at.map(
      (host, index) =>
        `<AdaptationSet><Representation id="t${index}"><SegmentTemplate media="${host}/$Number$.m4s">${timeline}</SegmentTemplate></Representation></AdaptationSet>`,
    ),
    // A template whose value would be a host of its own.
    `<AdaptationSet><Representation id="/127.0.0.1:${neighbour.port}"><SegmentTemplate media="/$RepresentationID$/$Number$.m4s">${timeline}</SegmentTemplate></Representation></AdaptationSet>`,
    '</Period></MPD>',
  ].join('\n')
  const origin = await openOrigin(t, (request, response) =>
    reply(response, request.url === '/m.mpd' ? mpd : 'segment'),
  )
  const relais = await openTestRelais(t, { origins: [origin.url], file: PREFETCH })
  for (let round = 0; round < 3; round++) {
    assert.equal(String((await get(`${relais.url}/m.mpd`)).body), mpd)
    assert.equal(String((await get(`${relais.url}/own/${round + 1}.m4s`)).body), 'segment')
    await get(`${relais.url}/127.0.0.1:${neighbour.port}/${round + 1}.m4s`)
    await idle(relais)
    relais.clock.advance(3_000)
  }
  assert.ok(origin.count('/own/5.m4s') === 1, 'what is ours is fetched ahead')
  assert.equal(neighbour.connections(), 0)
})

test('a hint of low latency that points elsewhere is nobody’s', async (t) => {
  const neighbour = await openNeighbour(t)
  const playlist = (part: number): string =>
    [
      '#EXTM3U',
      '#EXT-X-TARGETDURATION:2',
      '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5',
      '#EXT-X-PART-INF:PART-TARGET=0.5',
      '#EXT-X-MEDIA-SEQUENCE:10',
      '#EXTINF:2,',
      '10.m4s',
      ...Array.from({ length: part }, (_, at) => `#EXT-X-PART:DURATION=0.5,URI="11.${at}.m4s"`),
      ...inward(neighbour.port).map((host) => `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${host}/hint.m4s"`),
      '',
    ].join('\n')
  let part = 1
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(part)))
  const relais = await openTestRelais(t, { origins: [origin.url], file: PREFETCH })
  await get(`${relais.url}/ll.m3u8`)
  for (part = 2; part < 4; part++) {
    const answer = await get(`${relais.url}/ll.m3u8?_HLS_msn=11&_HLS_part=${part - 1}`)
    assert.equal(String(answer.body), playlist(part))
    await idle(relais)
  }
  assert.equal(neighbour.connections(), 0)
})

test('a redirect into the network is the viewer’s to follow, from wherever he stands', async (t) => {
  const neighbour = await openNeighbour(t)
  const location = `http://127.0.0.1:${neighbour.port}/`
  const origin = await openOrigin(t, (request, response) => {
    if (request.url === '/v.m3u8') return reply(response, [...PLAYLIST, '#EXTINF:4,', 's1.ts', ''].join('\n'))
    reply(response, '', { location, 'cache-control': 'max-age=60' }, 302)
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: PREFETCH })
  await get(`${relais.url}/v.m3u8`)
  for (const path of ['/s0.ts', '/m.m3u8', '/m.mpd', '/film.mp4']) {
    const answer = await get(relais.url + path)
    assert.deepEqual([answer.status, answer.headers['location']], [302, location])
    await idle(relais)
  }
  assert.equal(neighbour.connections(), 0)
})

test('who is configured as an origin is asked, wherever it stands', async (t) => {
  const neighbour = await openNeighbour(t)
  const host = `http://127.0.0.1:${neighbour.port}`
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, [...PLAYLIST, '#EXTINF:4,', `${host}/s1.ts`, ''].join('\n')),
  )
  const routes = [
    { prefix: '/', origins: [origin.url] },
    { prefix: '/lab', origins: [host] },
  ]
  const relais = await openTestRelais(t, { file: { routes } })
  const { body } = await get(`${relais.url}/v.m3u8`)
  assert.equal(String(body), [...PLAYLIST, '#EXTINF:4,', '/lab/s1.ts', ''].join('\n'))
  assert.equal(String((await get(`${relais.url}/lab/s1.ts`)).body), 'secret')
  assert.equal(neighbour.connections(), 1)
})
