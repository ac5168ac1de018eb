/** Texts in the codings that viewers take: made once each, with fields that speak of these bytes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Codings } from '../../src/cache/codings.ts'
import { WholeBody } from '../../src/store/whole-body.ts'
import { barrier } from '../support/barrier.ts'
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
