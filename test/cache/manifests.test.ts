/** Manifests as viewers get them: addresses that lead to us, a validator of our own, one fetch for all codings. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const FRESH = { 'cache-control': 'max-age=60' }

function playlist(...addresses: string[]): string {
  const segments = addresses.map((address) => `#EXTINF:4,\n${address}\n`).join('')
  return `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n${segments}#EXT-X-ENDLIST\n`
}

const LONG = playlist(...Array.from({ length: 200 }, (_, index) => `segment-${index}.ts`))

test('addresses of the origin lead to us, and all others stay', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    if (!request.url?.endsWith('.m3u8')) return reply(response, `body of ${request.url}`, FRESH)
    const { host } = new URL(origin.url)
    const addresses = [
      'a.ts',
      '/streams/b.ts?token=a~b=',
      `${origin.url}/streams/c.ts`,
      `//${host}/streams/d.ts`,
    ]
    reply(response, playlist(...addresses, 'https://cdn.example/e.ts', '/elsewhere/f.ts'), FRESH)
  })
  const relais = await openTestRelais(t, {
    file: { routes: [{ prefix: '/live', origins: [`${origin.url}/streams`] }] },
  })
  const answer = await get(`${relais.url}/live/one.m3u8`)
  const ours = ['a.ts', '/live/b.ts?token=a~b=', '/live/c.ts', '/live/d.ts']
  assert.equal(String(answer.body), playlist(...ours, 'https://cdn.example/e.ts', '/elsewhere/f.ts'))
  for (const path of ours.slice(1)) {
    const { body } = await get(`${relais.url}${path}`)
    assert.equal(String(body), `body of ${path.replace('/live/', '/streams/')}`)
  }
})

test('an alias leads the addresses of another host to us', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, playlist('https://cdn.example/x/a.ts', 'https://cdn.example/y/b.ts'), FRESH),
  )
  const relais = await openTestRelais(t, {
    origins: [origin.url],
    file: { addresses: { aliases: [{ url: 'https://cdn.example/x', path: '/x' }] } },
  })
  const { body } = await get(`${relais.url}/vod.m3u8`)
  assert.equal(String(body), playlist('/x/a.ts', 'https://cdn.example/y/b.ts'))
})

test('a manifest in which nothing changes comes byte for byte, with the validator of the origin', async (t) => {
  const body = playlist('a.ts', 'https://cdn.example/b.ts').replaceAll('\n', '\r\n')
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, body, { ...FRESH, etag: '"theirs"' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const answer = await get(`${relais.url}/vod.m3u8`)
  assert.equal(String(answer.body), body)
  assert.equal(answer.headers['etag'], '"theirs"')
})

test('a changed manifest has a strong validator of ours, and is validated by that of the origin', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    if (request.headers['if-none-match'] === '"theirs"') {
      response.writeHead(304, { ...FRESH, etag: '"theirs"' }).end()
    } else {
      reply(response, playlist(`${origin.url}/a.ts`), { ...FRESH, etag: '"theirs"', 'content-md5': 'x' })
    }
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/vod.m3u8`
  const first = await get(url)
  const etag = String(first.headers['etag'])
  assert.match(etag, /^"[^"]{22}"$/)
  assert.notEqual(etag, '"theirs"')
  assert.equal(first.headers['content-md5'], undefined)
  assert.equal((await get(url, { headers: { 'if-none-match': etag } })).status, 304)
  assert.equal((await get(url, { headers: { 'if-none-match': '"theirs"' } })).status, 200)
  relais.clock.advance(61_000)
  const renewed = await get(url)
  assert.equal(renewed.headers['cache-status'], 'test; fwd=stale; fwd-status=304; stored; ttl=60')
  assert.equal(renewed.headers['etag'], etag)
  assert.equal(String(renewed.body), playlist('/a.ts'))
})

test('all codings of a manifest are made of one fetch', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    const isZipped = String(request.headers['accept-encoding']).includes('gzip')
    const coding: Record<string, string> = isZipped ? { 'content-encoding': 'gzip' } : {}
    reply(response, isZipped ? gzipSync(LONG) : LONG, { ...FRESH, ...coding, vary: 'Accept-Encoding' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const ask = (coding: string) => get(`${relais.url}/vod.m3u8`, { headers: { 'accept-encoding': coding } })
  const tags = new Set<unknown>()
  for (let round = 0; round < 2; round++) {
    const zipped = await ask('gzip, deflate')
    const brotli = await ask('gzip, deflate, br')
    const plain = await ask('identity')
    assert.deepEqual(
      [zipped, brotli, plain].map(({ headers }) => headers['content-encoding']),
      ['gzip', 'br', undefined],
    )
    assert.equal(String(gunzipSync(zipped.body)), LONG)
    assert.equal(String(brotliDecompressSync(brotli.body)), LONG)
    assert.equal(String(plain.body), LONG)
    for (const { headers, body } of [zipped, brotli, plain]) {
      assert.equal(headers['vary'], 'accept-encoding')
      assert.equal(headers['content-length'], String(body.byteLength))
      tags.add(headers['etag'])
    }
  }
  assert.equal(tags.size, 3)
  assert.equal(origin.count(), 1)
  assert.equal((await settled(relais)).memory.entries, 1)
  for (const [etag, coding, status] of [...tags].flatMap((tag, nth) =>
    ['gzip', 'br', 'identity'].map((coding, other) => [tag, coding, nth === other ? 304 : 200] as const),
  )) {
    const headers = { 'if-none-match': String(etag), 'accept-encoding': coding }
    assert.equal((await get(`${relais.url}/vod.m3u8`, { headers })).status, status, `${etag} ${coding}`)
  }
})

test('subtitles are compressed too, and their ranges are those of the text', async (t) => {
  const text = `WEBVTT\n\n${'00:01.000 --> 00:02.000\nhello\n\n'.repeat(100)}`
  const origin = await openOrigin(t, (_request, response) => reply(response, text, { ...FRESH, etag: '"t"' }))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/subtitles.vtt`
  const zipped = await get(url, { headers: { 'accept-encoding': 'gzip' } })
  assert.equal(zipped.headers['etag'], '"t-gzip"')
  assert.equal(String(gunzipSync(zipped.body)), text)
  const part = await get(url, { headers: { 'accept-encoding': 'gzip', range: 'bytes=8-30' } })
  assert.equal(part.status, 206)
  assert.equal(String(part.body), text.slice(8, 31))
  assert.equal(origin.count(), 1)
})

test('what is not to be transformed comes as it is', async (t) => {
  const body = playlist('/streams/a.ts', ...Array.from({ length: 100 }, (_, index) => `${index}.ts`))
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, body, { 'cache-control': 'max-age=60, no-transform', etag: '"theirs"' }),
  )
  const relais = await openTestRelais(t, {
    file: { routes: [{ prefix: '/live', origins: [`${origin.url}/streams`] }] },
  })
  const answer = await get(`${relais.url}/live/one.m3u8`, { headers: { 'accept-encoding': 'gzip' } })
  assert.equal(String(answer.body), body)
  assert.equal(answer.headers['etag'], '"theirs"')
})

test("a viewer's own manifest, which is not stored, leads to us as well", async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, gzipSync(playlist(`${origin.url}/streams/a.ts`)), {
      'cache-control': 'private',
      'content-encoding': 'gzip',
    }),
  )
  const relais = await openTestRelais(t, {
    file: { routes: [{ prefix: '/live', origins: [`${origin.url}/streams`] }] },
  })
  for (let time = 1; time <= 3; time++) {
    const answer = await get(`${relais.url}/live/one.m3u8`)
    assert.equal(String(answer.body), playlist('/live/a.ts'))
    assert.equal(answer.headers['content-length'], String(answer.body.byteLength))
    assert.equal(origin.count(), time)
  }
})

test('a redirect to the origin leads to us, stored and passed', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    response.writeHead(request.url?.includes('stored') ? 301 : 302, {
      location: `${origin.url}/streams/there.m3u8?a=b`,
      'content-length': '0',
    })
    response.end()
  })
  const relais = await openTestRelais(t, {
    file: { routes: [{ prefix: '/live', origins: [`${origin.url}/streams`] }] },
  })
  for (const path of ['/live/stored.m3u8', '/live/stored.m3u8', '/live/passed.m3u8']) {
    assert.equal((await get(`${relais.url}${path}`)).headers['location'], '/live/there.m3u8?a=b')
  }
  assert.equal(origin.count('/streams/stored.m3u8'), 1)
})
