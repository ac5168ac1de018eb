/** Texts in the codings that viewers take: made once each, with fields that speak of these bytes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Codings } from '../../src/cache/codings.ts'
import { WholeBody } from '../../src/store/whole-body.ts'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { requestOf, storedOf } from './support/route.ts'

test('a text too long to be compressed at once is compressed once, however many ask meanwhile', async () => {
  const codings = new Codings()
  const { head } = storedOf({ etag: '"1"' })
  const stored = {
    head: { ...head, kind: 'text' as const },
    body: new WholeBody([Buffer.alloc(1024 * 1024, 'a line\n')]),
  }
  const request = requestOf({ 'accept-encoding': 'gzip' })
  assert.equal(codings.atOnce(stored, request), undefined)
  const made = await Promise.all(Array.from({ length: 5 }, () => codings.coded(stored, request)))
  assert.equal(new Set(made.map(({ body }) => body)).size, 1)
  assert.equal(codings.atOnce(stored, request)?.body, made[0]?.body)
})

test('a digest of the text is not said of what it was compressed to', async (t) => {
  const text = `WEBVTT\n\n${'00:00.000 --> 00:01.000\nthe same words again\n\n'.repeat(100)}`
  const digests = {
    'repr-digest': 'sha-256=:AAAA:',
    'content-digest': 'sha-256=:AAAA:',
    'content-md5': 'AAAA',
    digest: 'sha-256=AAAA',
  }
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, text, { 'cache-control': 'max-age=60', etag: '"t"', ...digests }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/subtitles.vtt`
  for (const round of ['filled', 'hit']) {
    const { headers, body } = await get(url, { headers: { 'accept-encoding': 'gzip' } })
    assert.equal(String(gunzipSync(body)), text, round)
    for (const name of Object.keys(digests)) assert.equal(headers[name], undefined, `${name} ${round}`)
  }
  const plain = await get(url, { headers: { 'accept-encoding': 'identity' } })
  assert.equal(plain.headers['repr-digest'], digests['repr-digest'])
})

test('a text that still comes is sent as it comes, and compressed once it is here', async (t) => {
  const lines = 'a line that is said again\n'.repeat(100)
  const text = `WEBVTT\n\n${lines}${lines}`
  const rest = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    response.writeHead(200, { 'content-length': String(text.length), 'cache-control': 'max-age=60' })
    response.write(text.slice(0, lines.length))
    await rest.opened
    response.end(text.slice(lines.length))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/subtitles.vtt`
  const headers = { 'accept-encoding': 'gzip' }
  // The rest comes when a viewer has read the beginning, and else never.
  const first = await get(url, { headers, onData: () => rest.open() })
  assert.equal(String(first.body), text)
  assert.deepEqual([first.headers['content-encoding'], first.headers['vary']], [undefined, 'accept-encoding'])
  await settled(relais)
  const second = await get(url, { headers })
  assert.equal(second.headers['content-encoding'], 'gzip')
  assert.equal(String(gunzipSync(second.body)), text)
  assert.equal(origin.count(), 1)
})

test('a text whose length nobody said is one for all codings, and says so to caches on the way', async (t) => {
  const bodies = {
    '/p.m3u8': `#EXTM3U\n#EXT-X-TARGETDURATION:4\n${'#EXTINF:4,\ns.ts\n'.repeat(100)}`,
    '/s.vtt': `WEBVTT\n\n${'00:00.000 --> 00:01.000\nthe same words again\n\n'.repeat(100)}`,
  }
  for (const [path, text] of Object.entries(bodies)) {
    const origin = await openOrigin(t, (_request, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60', vary: 'Accept-Encoding' })
      response.write(text.slice(0, 10))
      response.end(text.slice(10))
    })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const plain = await get(relais.url + path)
    await until(async () => (await relais.stats()).memory.entries === 1, 'it is stored')
    const coded = await get(relais.url + path, { headers: { 'accept-encoding': 'gzip' } })
    assert.equal(String(plain.body), text)
    assert.equal(String(gunzipSync(coded.body)), text)
    for (const { headers } of [plain, coded]) assert.equal(headers.vary?.toLowerCase(), 'accept-encoding')
    assert.equal(origin.count(), 1)
  }
})

test('a text whose length nobody said has a Vary where its origin speaks of none', async (t) => {
  const text = `WEBVTT\n\n${'00:00.000 --> 00:01.000\nthe same words again\n\n'.repeat(100)}`
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=60' })
    response.write(text.slice(0, 10))
    response.end(text.slice(10))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/s.vtt`
  assert.equal((await get(url)).headers.vary, 'accept-encoding')
  await until(async () => (await relais.stats()).memory.entries === 1, 'it is stored')
  const { headers } = await get(url, { headers: { 'accept-encoding': 'gzip' } })
  assert.deepEqual([headers['content-encoding'], headers.vary], ['gzip', 'accept-encoding'])
})
