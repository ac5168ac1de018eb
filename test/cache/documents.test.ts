/** What manifests lead to beside media: steering manifests, asset lists, and remote parts of MPDs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

const FRESH = { 'cache-control': 'max-age=60' }
const JSON_TYPE = { 'content-type': 'application/json' }

const MULTIVARIANT =
  '#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI="next?a=1"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n'
const MEDIA = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ns.ts\n'

function dateRange(list: string): string {
  return `#EXT-X-DATERANGE:ID="1",CLASS="com.apple.hls.interstitial",START-DATE="2026-01-01T00:00:00Z",X-ASSET-LIST="${list}"\n`
}

test('a steering manifest that a multivariant playlist names leads to us, whatever players add to its query', async (t) => {
  const steering = (at: string) =>
    `{"VERSION":1, "TTL":300, "RELOAD-URI":"${at}", "PATHWAY-PRIORITY":["a","b"]}`
  const origin = await openOrigin(t, (request, response) =>
    request.url?.endsWith('.m3u8')
      ? reply(response, MULTIVARIANT, FRESH)
      : reply(response, steering(`${origin.url}/streams/next`), { ...JSON_TYPE, ...FRESH, etag: '"theirs"' }),
  )
  const relais = await openTestRelais(t, {
    file: { routes: [{ prefix: '/live', origins: [`${origin.url}/streams`] }] },
  })
  const url = `${relais.url}/live/next?a=1&_HLS_pathway=a&_HLS_throughput=1`
  assert.equal(
    String((await get(url)).body),
    steering(`${origin.url}/streams/next`),
    'nobody has named it yet',
  )
  relais.clock.advance(61_000)
  await get(`${relais.url}/live/m.m3u8`)
  const answer = await get(`${relais.url}/live/next?a=1&_HLS_pathway=b`)
  assert.equal(String(answer.body), steering('/live/next'))
  const etag = String(answer.headers['etag'])
  assert.match(etag, /^"[^"]{22}"$/)
  assert.equal(answer.headers['content-length'], String(answer.body.byteLength))
  const again = `${relais.url}/live/next?a=1&_HLS_pathway=b`
  assert.equal((await get(again, { headers: { 'if-none-match': etag } })).status, 304)
})

test('a steering manifest that an MPD names leads to us', async (t) => {
  const mpd = '<MPD type="static"><ContentSteering defaultServiceLocation="a">steer/x</ContentSteering></MPD>'
  const origin = await openOrigin(t, (request, response) =>
    request.url?.endsWith('.mpd')
      ? reply(response, mpd, FRESH)
      : reply(response, `{"RELOAD-URI":"${origin.url}/steer/y"}`, JSON_TYPE),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/m.mpd`)
  assert.equal(String((await get(`${relais.url}/steer/x`)).body), '{"RELOAD-URI":"/steer/y"}')
})

test('the type of a steering manifest is enough, and a page about steering is no steering manifest', async (t) => {
  const page = '<html>steering</html>'
  const origin = await openOrigin(t, (request, response) =>
    request.url === '/a'
      ? reply(response, `{"RELOAD-URI":"${origin.url}/b"}`, {
          'content-type': 'application/vnd.apple.steering-list',
        })
      : reply(response, page, { 'content-type': 'text/html' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  assert.equal(String((await get(`${relais.url}/a`)).body), '{"RELOAD-URI":"/b"}')
  assert.equal(String((await get(`${relais.url}/steering`)).body), page)
})

test('an asset list that a playlist names leads to us, is for each viewer unless its origin says otherwise, and comes in any coding', async (t) => {
  const list = (at: string) =>
    `{"ASSETS":[{"URI":"${at}/ad.m3u8","DURATION":15},{"URI":"https://ads.example/x","DURATION":1}]}`
  const origin = await openOrigin(t, (request, response) => {
    const url = request.url ?? ''
    if (url.endsWith('.m3u8'))
      return reply(response, MEDIA.replace('#EXTINF', `${dateRange('ads/1?b')}#EXTINF`), FRESH)
    if (url.includes('zipped'))
      return reply(response, gzipSync(list(origin.url)), { ...JSON_TYPE, 'content-encoding': 'gzip' })
    reply(response, list(origin.url), url.includes('kept') ? { ...JSON_TYPE, ...FRESH } : JSON_TYPE)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/m.m3u8`)
  for (const viewer of ['?b&_HLS_primary_id=1', '?b&zipped'])
    for (let round = 0; round < 2; round++)
      assert.equal(String((await get(`${relais.url}/ads/1${viewer}`)).body), list(''))
  assert.equal(origin.asked.filter(({ target }) => target.startsWith('/ads/')).length, 4)
  for (let round = 0; round < 2; round++)
    assert.equal(String((await get(`${relais.url}/ads/1?b&kept`)).body), list(''))
  assert.equal(origin.count('/ads/1?b&kept'), 1)
})

test('what a manifest names as an asset list and is none is an error, and the next good one is there at once', async (t) => {
  let body: string | Buffer = ''
  const origin = await openOrigin(t, (request, response) =>
    request.url?.endsWith('.m3u8')
      ? reply(response, MEDIA.replace('#EXTINF', `${dateRange('/ads')}#EXTINF`), FRESH)
      : reply(response, body, { ...JSON_TYPE, ...FRESH }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/m.m3u8`)
  for (const [bad, came] of [
    ['<html></html>', 'expected an asset list, a JSON object, came HTML'],
    ['{"ASSETS":[', 'expected an asset list, a JSON object, came JSON with an error'],
    ['null', 'expected an asset list, a JSON object, came "null"'],
    [Buffer.from([0x7b, 0xff, 0x7d]), 'expected an asset list in UTF-8, came other bytes'],
    [`{"ASSETS":"${'x'.repeat(1024 * 1024)}"}`, 'expected at most 1048576 bytes, came more'],
  ] as const) {
    body = bad
    const answer = await get(`${relais.url}/ads`)
    assert.equal(answer.status, 502)
    assert.equal(JSON.parse(String(answer.body)).error, 'BAD_MANIFEST')
    assert.ok(JSON.stringify(relais.log).includes(JSON.stringify(came).slice(1, -1)), came)
  }
  body = '{"ASSETS":[]}'
  assert.equal(String((await get(`${relais.url}/ads`)).body), body)
})

test('remote Periods come through unbroken and lead to us, and are fresh for half a second where nothing is known of their stream', async (t) => {
  const period = (at: string) =>
    `<?xml version="1.0"?>\n<!-- ads --><Period id="ad"><BaseURL>${at}</BaseURL></Period>\n<Period><BaseURL>rel/</BaseURL></Period>`
  const types: Record<string, string> = {
    '/a.mpd': 'application/dash+xml',
    '/b': 'application/dash+xml',
    '/c.xml': 'application/xml',
    '/d.period': 'text/plain',
  }
  const origin = await openOrigin(t, (request, response) =>
    reply(response, period(`${origin.url}/ads/`), { 'content-type': types[request.url ?? ''] ?? '' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const path of Object.keys(types)) {
    for (let round = 0; round < 2; round++) {
      const answer = await get(`${relais.url}${path}`)
      assert.equal(answer.status, 200, path)
      assert.equal(String(answer.body), period('/ads/'), path)
    }
    assert.equal(origin.count(path), 1, path)
    relais.clock.advance(1_000)
    await get(`${relais.url}${path}`)
    assert.equal(origin.count(path), 2, path)
  }
})

test('remote elements that lead to themselves cost one request each, for nobody here follows them', async (t) => {
  const xlink = 'xmlns:xlink="http://www.w3.org/1999/xlink" xlink:actuate="onLoad"'
  const loop = (at: string) => ({
    '/m.mpd': `<MPD ${xlink}><Period xlink:href="${at}/p.xml"/><Period xlink:href="m.mpd"/></MPD>`,
    '/p.xml': `<Period xlink:href="${at}/q.xml"/>`,
    '/q.xml': `<Period xlink:href="${at}/p.xml"/><Period xlink:href="${at}/q.xml"/>`,
  })
  const origin = await openOrigin(t, (request, response) => {
    const body = Object.entries(loop(origin.url)).find(([path]) => path === request.url)?.[1] ?? ''
    reply(response, body, { ...FRESH, 'content-type': 'application/xml' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { prefetch: { segments: 4 } } })
  for (let round = 0; round < 2; round++)
    for (const [path, body] of Object.entries(loop('')))
      assert.equal(String((await get(`${relais.url}${path}`)).body), body)
  assert.deepEqual(
    origin.asked.map(({ target }) => target),
    ['/m.mpd', '/p.xml', '/q.xml'],
  )
})

test('vendors’ attributes lead to us where they are listed, and prefetched segments of theirs always', async (t) => {
  const vendor = (at: string, listed: string) =>
    `${MEDIA}#EXT-X-PREFETCH:${at}/n.ts\n#EXT-X-AD:ID="${listed}/x",HREF="${listed}/ad?~"\n#EXT-X-OTHER:HREF="http://other.example/"\n`
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, vendor(origin.url, origin.url), FRESH),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  assert.equal(String((await get(`${relais.url}/m.m3u8`)).body), vendor('', origin.url))
  const listed = await openTestRelais(t, {
    origins: [origin.url],
    file: { addresses: { attributes: [{ tag: 'EXT-X-AD', attribute: 'HREF' }] } },
  })
  const expected = vendor('', '').replace('ID="', `ID="${origin.url}`)
  assert.equal(String((await get(`${listed.url}/m.m3u8`)).body), expected)
})

test('a segment that a playlist names as an asset list is a segment still', async (t) => {
  for (const [path, type] of [
    ['/s.ts', 'video/mp2t'],
    ['/next', 'video/mp2t'],
    ['/s.m4s', 'application/octet-stream'],
  ] as const) {
    const origin = await openOrigin(t, (request, response) =>
      request.url === '/p.m3u8'
        ? reply(response, `${MEDIA}${dateRange(path)}`)
        : reply(response, 'media', { ...FRESH, 'content-type': type }),
    )
    const relais = await openTestRelais(t, { origins: [origin.url] })
    await get(`${relais.url}/p.m3u8`)
    const answer = await get(relais.url + path)
    assert.deepEqual([answer.status, answer.body.toString()], [200, 'media'], path)
  }
})
