/** Orders to purge: what is understood, what is refused and why, and who may give them. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { barrier } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { order, purge } from '../support/operator.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const TOKEN = 'a-token-of-some-length'

async function open(
  t: TestContext,
  file: Record<string, unknown> = {},
): Promise<{ origin: TestOrigin; relais: TestRelais }> {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'x', { 'cache-control': 'max-age=60', etag: '"v"' }),
  )
  return { origin, relais: await openTestRelais(t, { origins: [origin.url], file }) }
}

test('an address may be a path, or a URL at this node, at its public name or at the origin', async (t) => {
  const { origin, relais } = await open(t, { addresses: { publicUrl: 'https://tv.example' } })
  const path = '/a%20b.ts?x=1'
  for (const url of [path, relais.url + path, `https://TV.example${path}`, `${origin.url}${path}#t=1`]) {
    await get(relais.url + path)
    assert.equal((await purge(relais.url, { url }))['deleted'], 1, url)
  }
})

test('what cannot be understood is refused with what was expected and what came', async (t) => {
  const { relais } = await open(t)
  const long = `/${'x'.repeat(9000)}`
  for (const [body, status, told] of [
    ['{', 400, /The body is no JSON/],
    [[], 400, /Expected an object, and \[\] came/],
    [{}, 400, /Expected one of url, urls, .* and none came/],
    [{ url: '/a', prefix: '/b' }, 400, /and url and prefix came/],
    [{ url: '/a', hard: true }, 400, /Expected only the keys .* and "hard" came/],
    [{ url: 7 }, 400, /url: expected an address, and 7 came/],
    [
      { url: 'a.ts' },
      400,
      /url: expected a path, or a URL at this node or one of its origins, and "a.ts" came/,
    ],
    [{ url: 'http://elsewhere.example/a' }, 400, /and "http:\/\/elsewhere.example\/a" came/],
    [{ url: long }, 400, /values\[0\]: expected 1 to 8192 characters, and 9001 came/],
    [{ url: '/a b' }, 400, /expected a path that begins with/],
    [{ urls: '/a' }, 400, /urls: expected a list, and "\/a" came/],
    [{ urls: [] }, 400, /values: expected from 1 to 1000, and 0 came/],
    [{ urls: Array.from({ length: 1001 }, () => '/a') }, 400, /and 1001 came/],
    [{ tag: '' }, 400, /expected 1 to 8192 characters/],
    [{ tag: 'ä' }, 400, /expected a name of printable ASCII, and "ä" came/],
    [{ route: '/x/' }, 400, /route: expected one of \/, and "\/x\/" came/],
    [{ all: 1 }, 400, /all: expected true, and 1 came/],
    [{ url: '/a', soft: 1 }, 400, /soft: expected true or false, and 1 came/],
    [{ urls: [`/${'x'.repeat(300 * 1024)}`] }, 413, /at most 256 KiB/],
  ] as const) {
    const answer = await order(relais.url, '/-/purge', body)
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    assert.match(String(answer.body['message']), told)
  }
  const text = await order(relais.url, '/-/purge', '/a', { 'content-type': 'text/plain' })
  assert.deepEqual([text.status, text.body['error']], [415, 'ORDER_TYPE'])
  assert.equal((await relais.stats()).purges.issued, 0)
})

test('an address that no route answers for is told so', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const routes = [{ prefix: '/live/', origins: [origin.url] }]
  const relais = await openTestRelais(t, { file: { routes } })
  for (const body of [{ url: '/vod/a.ts' }, { prefix: '/vod' }, { stream: '/a.m3u8' }]) {
    const answer = await order(relais.url, '/-/purge', body)
    assert.deepEqual([answer.status, answer.body['error']], [404, 'NO_ROUTE'])
  }
  assert.equal((await order(relais.url, '/-/purge', { prefix: '/li' })).status, 200)
})

test('for all others neither the desk nor the method is there, and nothing is purged', async (t) => {
  const { origin, relais } = await open(t, { ops: { trusted: [], token: TOKEN } })
  const url = `${relais.url}/a.ts`
  await get(url)
  assert.equal((await order(relais.url, '/-/purge', { all: true })).status, 404)
  assert.equal((await order(relais.url, '/-/purge', '{', { 'content-type': 'x/y' })).status, 404)
  // It is a method like others, and the origin's to answer.
  origin.answer((_request, response) => reply(response, '', {}, 405))
  assert.equal((await get(url, { method: 'PURGE' })).status, 405)
  assert.deepEqual(
    origin.asked.map(({ method }) => method),
    ['GET', 'PURGE'],
  )
  assert.match(String((await get(url)).headers['cache-status']), /; hit/)
  const authorization = `Bearer ${TOKEN}`
  assert.equal((await order(relais.url, '/-/purge', { url: '/a.ts' }, { authorization })).status, 200)
  assert.equal((await get(url, { method: 'PURGE', headers: { authorization } })).status, 200)
  assert.equal(origin.count(), 2)
})

test('the method PURGE purges its own address, hard or soft, and does not reach the origin', async (t) => {
  const { origin, relais } = await open(t)
  const url = `${relais.url}/a.ts`
  await get(url)
  const soft = await get(url, { method: 'PURGE', headers: { 'soft-purge': '1' } })
  assert.equal(JSON.parse(soft.body.toString()).soft, true)
  assert.match(String((await get(url)).headers['cache-status']), /fwd=stale/)
  const hard = await get(url, { method: 'PURGE' })
  assert.equal(JSON.parse(hard.body.toString()).deleted, 1)
  assert.equal(hard.headers['cache-control'], 'no-store')
  assert.match(String((await get(url)).headers['cache-status']), /fwd=uri-miss/)
  const bad = await get(url, { method: 'PURGE', headers: { 'soft-purge': 'yes' } })
  assert.equal(bad.status, 400)
  assert.match(bad.body.toString(), /Soft-Purge: expected 0 or 1/)
  assert.ok(origin.asked.every(({ method }) => method === 'GET'))
})

test('a stream goes with its playlists, segments, keys, inits, steering manifests and asset lists, and another one stays', async (t) => {
  const media = (name: string): string =>
    [
      '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD',
      `#EXT-X-KEY:METHOD=AES-128,URI="${name}.key"\n#EXT-X-MAP:URI="${name}-init.mp4"`,
      `#EXT-X-DATERANGE:ID="1",CLASS="com.apple.hls.interstitial",START-DATE="2026-01-01T00:00:00Z",X-ASSET-LIST="${name}-ads"`,
      ...[0, 1, 2].map((n) => `#EXTINF:6,\n${name}-${n}.m4s`),
      '#EXT-X-ENDLIST\n',
    ].join('\n')
  const texts: Record<string, string> = {
    '/s/main.m3u8':
      '#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI="steer"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhigh.m3u8\n',
    '/s/low.m3u8': media('low'),
    '/s/high.m3u8': media('high'),
    '/s/steer': '{"VERSION":1,"PATHWAY-PRIORITY":["."]}',
    ...Object.fromEntries(['low', 'high', 'other'].map((name) => [`/s/${name}-ads`, '{"ASSETS":[]}'])),
    '/s/other.m3u8': media('other'),
    '/s/dash.mpd':
      '<MPD type="static" mediaPresentationDuration="PT12S"><Period><AdaptationSet><SegmentTemplate duration="6" media="d$Number$.m4s" initialization="d-init.mp4"/><Representation id="1" bandwidth="1"/></AdaptationSet></Period></MPD>',
  }
  const origin = await openOrigin(t, (request, response) =>
    reply(response, texts[request.url ?? ''] ?? 'x', { 'cache-control': 'max-age=60' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const of = (name: string): string[] => [
    ...[0, 1, 2].map((n) => `/s/${name}-${n}.m4s`),
    ...[`/s/${name}.m3u8`, `/s/${name}.key`, `/s/${name}-init.mp4`, `/s/${name}-ads`],
  ]
  const hls = ['/s/main.m3u8', '/s/steer', ...of('low'), ...of('high')]
  const dash = ['/s/dash.mpd', '/s/d-init.mp4', '/s/d1.m4s', '/s/d2.m4s']
  const all = [...hls, ...dash, ...of('other')]
  const counts = (): number[] => all.map((path) => origin.count(path))
  for (const path of all) await get(relais.url + path)
  const answer = await purge(relais.url, { stream: '/s/main.m3u8' })
  assert.deepEqual([answer['listed'], answer['deleted'], answer['complete']], [hls.length, hls.length, true])
  for (const path of all) await get(relais.url + path)
  assert.deepEqual(
    counts(),
    all.map((path) => (hls.includes(path) ? 2 : 1)),
  )
  assert.equal((await purge(relais.url, { stream: '/s/dash.mpd' }))['deleted'], dash.length)
  for (const path of all) await get(relais.url + path)
  assert.deepEqual(
    counts(),
    all.map((path) => (path.startsWith('/s/other') ? 1 : 2)),
  )
})

test('a blocking reload that a purge of its playlist overtakes brings nothing back', async (t) => {
  const playlist = (first: number, name: string): string =>
    [
      '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1',
      `#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3\n#EXT-X-MEDIA-SEQUENCE:${first}`,
      ...[0, 1, 2].map((n) => `#EXTINF:4,\n${name}${first + n}.m4s`),
      '',
    ].join('\n')
  const gate = barrier()
  let name = 'old'
  const origin = await openOrigin(t, async (request, response) => {
    const mine = name
    const isHeld = request.url?.includes('_HLS_msn=13') === true && mine === 'old'
    if (isHeld) await gate.opened
    reply(response, playlist(isHeld ? 11 : 10, mine), { 'cache-control': 'max-age=60' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const plain = `${relais.url}/live.m3u8`
  assert.match((await get(plain)).body.toString(), /old10/)
  const held = get(`${plain}?_HLS_msn=13`)
  await origin.reached(2)
  assert.equal((await purge(relais.url, { url: '/live.m3u8' }))['deleted'], 1)
  name = 'new'
  gate.open()
  assert.match((await held).body.toString(), /old13/)
  assert.match((await get(plain)).body.toString(), /new10/)
  assert.match((await get(plain)).body.toString(), /new10/)
})

test('purges are counted', async (t) => {
  const { relais } = await open(t)
  await get(`${relais.url}/a.ts`)
  await purge(relais.url, { url: '/a.ts' })
  await purge(relais.url, { tag: 'x', soft: true })
  const { issued, received, deleted, rules, unsaved } = (await relais.stats()).purges
  assert.deepEqual(
    { issued, received, deleted, rules, unsaved },
    { issued: 2, received: 0, deleted: 1, rules: 2, unsaved: 0 },
  )
})
