import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:http'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { Demo } from '../../src/demo/demo-origin.ts'
import { startDemo } from '../../src/demo/demo-origin.ts'
import { DEMO_STREAMS } from '../../src/demo/streams.ts'
import { addressesOf } from './bars.ts'

const START = 1_795_428_000_000

interface Answered {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

async function open(t: TestContext, now: () => number = () => START): Promise<Demo> {
  const demo = await startDemo({ host: '127.0.0.1', port: 0, now })
  t.after(() => demo.close())
  return demo
}

/** The path goes out byte for byte, which fetch would not do. */
function ask(
  demo: Demo,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<Answered> {
  const { hostname, port } = new URL(demo.url)
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(chunks).toString('latin1'),
        }),
      )
    })
      .on('error', reject)
      .end()
  })
}

test('every stream of the list has its manifest, of its type and open to other origins', async (t) => {
  const demo = await open(t)
  const types = { hls: 'application/vnd.apple.mpegurl', dash: 'application/dash+xml' }
  for (const { path, player } of DEMO_STREAMS) {
    const { status, headers } = await ask(demo, path)
    assert.equal(status, 200, path)
    assert.equal(headers['content-type'], types[player])
    assert.equal(headers['access-control-allow-origin'], '*')
    assert.match(headers['access-control-expose-headers'] ?? '', /Age.*Content-Range.*ETag/)
    assert.equal(headers['cache-control'], undefined)
  }
})

test('a live segment is 404 until the wall clock has completed it, and again after its grace', async (t) => {
  let now = START
  const demo = await open(t, () => now)
  const path = `/live/ts/360p/${START / 2000}.ts`
  assert.equal((await ask(demo, path)).status, 404)
  now += 2000
  assert.equal((await ask(demo, path)).status, 200)
  now += 60_000
  assert.equal((await ask(demo, path)).status, 200)
  now += 2000
  assert.equal((await ask(demo, path)).status, 404)
})

test('a live playlist is validated with 304 until its next segment', async (t) => {
  let now = START
  const demo = await open(t, () => now)
  const first = await ask(demo, '/live/fmp4/audio.m3u8')
  const again = { 'if-none-match': first.headers.etag ?? '' }
  assert.equal((await ask(demo, '/live/fmp4/audio.m3u8', 'GET', again)).status, 304)
  now += 2000
  const next = await ask(demo, '/live/fmp4/audio.m3u8', 'GET', again)
  assert.equal(next.status, 200)
  assert.notEqual(addressesOf(next.text).at(-1), addressesOf(first.text).at(-1))
  assert.equal(next.headers['last-modified'], new Date(now).toUTCString())
})

test('two demo origins tell the same at the same instant', async (t) => {
  const [one, other] = [await open(t), await open(t)]
  for (const path of [
    '/live/ts/270p.m3u8',
    '/live/fmp4/manifest.mpd',
    '/ll/parts/270p.m3u8',
    '/ll/patch/manifest.mpd',
    `/ll/ranges/360p/${START / 2000 - 1}.m4s`,
    `/live/fmp4/audio/${START / 2000 - 1}.m4s`,
  ]) {
    const [left, right] = [await ask(one, path), await ask(other, path)]
    assert.equal(left.status, 200)
    assert.equal(left.headers.etag, right.headers.etag)
    assert.equal(left.text, right.text)
  }
})

test('the time for players is that of the clock, and may not be stored', async (t) => {
  const demo = await open(t)
  const { text, headers } = await ask(demo, '/live/time')
  assert.equal(text, '2026-11-23T10:00:00.000Z')
  assert.equal(headers.date, 'Mon, 23 Nov 2026 10:00:00 GMT')
  assert.equal(headers['cache-control'], 'no-store')
})

test('a range of a single file is served over the wire, and one beyond its end refused', async (t) => {
  const demo = await open(t)
  const path = '/vod/bars/single/360p.mp4'
  const part = await ask(demo, path, 'GET', { range: 'bytes=4-7' })
  assert.equal(part.status, 206)
  assert.equal(part.text, 'ftyp')
  const beyond = await ask(demo, path, 'GET', { range: 'bytes=99999999-' })
  assert.equal(beyond.status, 416)
  assert.match(beyond.headers['content-range'] ?? '', /^bytes \*\/\d+$/)
})

test('HEAD has the fields of GET and no body', async (t) => {
  const demo = await open(t)
  const path = '/vod/bars/ts/main.m3u8'
  const [head, get] = [await ask(demo, path, 'HEAD'), await ask(demo, path)]
  assert.equal(head.status, 200)
  assert.equal(head.text, '')
  assert.deepEqual(head.headers, get.headers)
  assert.equal(Number(get.headers['content-length']), get.text.length)
  assert.equal((await ask(demo, '/nothing', 'HEAD')).text, '')
})

test('a preflight is answered, other methods are not', async (t) => {
  const demo = await open(t)
  const preflight = await ask(demo, '/live/fmp4/main.m3u8', 'OPTIONS')
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers['access-control-allow-origin'], '*')
  assert.match(preflight.headers['access-control-allow-headers'] ?? '', /Range/)
  for (const method of ['POST', 'PUT', 'DELETE', 'PURGE']) {
    const refused = await ask(demo, '/live/fmp4/main.m3u8', method)
    assert.equal(refused.status, 405, method)
    assert.equal(refused.headers.allow, 'GET, HEAD, OPTIONS')
  }
})

test('paths that climb, hide a NUL, are cut or name nothing get 404', async (t) => {
  const demo = await open(t)
  const number = START / 2000 - 1
  for (const path of [
    '/nothing',
    '/vod/',
    '/vod/bars',
    '/vod/../package.json',
    '/vod/../../../../etc/passwd',
    '/vod/%2e%2e/package.json',
    '/vod/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '/vod/..%5c..%5cpackage.json',
    '/vod/bars/ts/main.m3u8%00',
    '/vod/bars/ts/%00/main.m3u8',
    '/vod/bars/ts/main.m3u8%',
    '/vod/bars/ts/main.m3u8/',
    '//vod/bars/ts/main.m3u8',
    '/live/ts/../../package.json',
    '/live/ts/360p/-1.ts',
    `/live/ts/360p/0${number}.ts`,
    `/live/ts/360p/${number}.m4s`,
    `/live/ts/audio/${number}.ts`,
    `/live/ts/constructor/${number}.ts`,
    '/live/ts/360p/99999999999999999999999.ts',
    '/live/ts/manifest.mpd',
    '/live/dash/manifest.mpd',
    '/ll/',
    '/ll/parts/manifest.mpd',
    '/ll/dash/main.m3u8',
    '/ll/constructor/main.m3u8',
    `/ll/parts/360p/0${number}.m4s`,
    `/ll/parts/360p/${number}.5.m4s`,
    `/ll/ranges/360p/${number}.0.m4s`,
    `/ll/dash/360p/t${number}.m4s`,
    '/ll/patch/360p/t1.m4s',
    '/ll/parts/constructor/init.mp4',
    '/player/hls.js.map',
  ]) {
    const { status, text } = await ask(demo, path)
    assert.equal(status, 404, path)
    assert.match(text, /nothing here/)
  }
})

test('a target that is not a path is refused and the server goes on', async (t) => {
  const demo = await open(t)
  for (const target of ['*', 'http://[', 'example.org:443', '?']) {
    const answered = await sendRaw(demo, `GET ${target} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n`)
    assert.match(answered, /^HTTP\/1\.1 40[04] /, target)
  }
  assert.equal((await ask(demo, '/')).status, 200)
})

function sendRaw(demo: Demo, text: string): Promise<string> {
  const { hostname, port } = new URL(demo.url)
  return new Promise((resolve, reject) => {
    let answered = ''
    const socket = connect(Number(port), hostname, () => socket.write(text))
    socket.on('data', (chunk) => {
      answered += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answered))
  })
}

test('a query does not change what is found, so that signed and measured addresses play too', async (t) => {
  const demo = await open(t)
  assert.equal((await ask(demo, '/vod/bars/ts/360p/0.ts?token=a/../b&CMCD=bl%3D1')).status, 200)
})

test('the page names every stream, and its players come from their packages', async (t) => {
  const demo = await open(t)
  assert.match((await ask(demo, '/')).text, /<video/)
  const { text } = await ask(demo, '/streams.json')
  assert.deepEqual(JSON.parse(text), {
    streams: DEMO_STREAMS,
    players: { hls: true, dash: true, shaka: true },
  })
  assert.match((await ask(demo, '/player/hls.js')).text, /Hls/)
  assert.match((await ask(demo, '/player/dash.js')).text, /dashjs/)
  assert.match((await ask(demo, '/player/shaka.js')).text, /shaka/)
})

test('closing ends open connections, and the port is free again', async (t) => {
  const demo = await open(t)
  const { hostname, port } = new URL(demo.url)
  const socket = connect(Number(port), hostname)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await new Promise((resolve) => socket.once('connect', resolve))
  await ask(demo, '/')
  await demo.close()
  await closed
  const next = await startDemo({ host: hostname, port: Number(port), now: () => START })
  await next.close()
})

test('a port that is taken is an error of the start', async (t) => {
  const demo = await open(t)
  const port = Number(new URL(demo.url).port)
  await assert.rejects(startDemo({ host: '127.0.0.1', port, now: () => START }), { code: 'EADDRINUSE' })
})
