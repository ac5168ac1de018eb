/** Variants of one resource lie side by side, and nobody is given another's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { type Handler, openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const PLAYLIST =
  '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n'
const VARIES = { 'cache-control': 'max-age=60', vary: 'Accept-Encoding' }

const byEncoding: Handler = (request, response) => {
  if (String(request.headers['accept-encoding']).includes('gzip')) {
    reply(response, gzipSync(PLAYLIST), { ...VARIES, 'content-encoding': 'gzip' })
  } else {
    reply(response, PLAYLIST, VARIES)
  }
}

function encodingOf(value: string): { headers: Record<string, string> } {
  return { headers: { 'accept-encoding': value } }
}

test('each encoding is fetched once and lies beside the others', async (t) => {
  const origin = await openOrigin(t, byEncoding)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/titles.json`
  for (let round = 0; round < 2; round++) {
    const zipped = await get(url, encodingOf('gzip'))
    assert.equal(zipped.headers['content-encoding'], 'gzip')
    assert.ok(zipped.body.equals(gzipSync(PLAYLIST)))
    const plain = await get(url, encodingOf('identity'))
    assert.equal(plain.headers['content-encoding'], undefined)
    assert.equal(String(plain.body), PLAYLIST)
  }
  assert.equal(origin.count(), 2)
  assert.equal((await settled(relais)).memory.entries, 2)
})

test('the origin sees few encodings, so that few variants arise', async (t) => {
  const origin = await openOrigin(t, byEncoding)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/titles.json`
  for (const value of ['gzip, deflate', 'deflate,  gzip;q=0.5', 'GZIP', 'x-gzip', 'gzip, zstd, *;q=0']) {
    assert.equal((await get(url, encodingOf(value))).headers['content-encoding'], 'gzip', value)
  }
  for (const value of ['', 'identity', 'deflate', 'gzip;q=0']) {
    assert.equal((await get(url, encodingOf(value))).headers['content-encoding'], undefined, value)
  }
  assert.deepEqual(
    origin.asked.map(({ headers }) => headers['accept-encoding']),
    ['gzip', 'identity'],
  )
})

test('who waits for a fill in another encoding is not given the wrong one', async (t) => {
  const head = barrier()
  const origin = await openOrigin(t, async (request, response) => {
    await head.opened
    byEncoding(request, response)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/titles.json`
  const zipped = Array.from({ length: 5 }, () => openViewer(url, encodingOf('gzip')))
  await origin.reached(1)
  const plain = Array.from({ length: 5 }, () => openViewer(url, encodingOf('identity')))
  await until(async () => (await relais.stats()).viewers === 10, 'all are connected')
  head.open()
  for (const { answer } of zipped) assert.equal((await answer).headers['content-encoding'], 'gzip')
  for (const { answer } of plain) {
    const { headers, body } = await answer
    assert.equal(headers['content-encoding'], undefined)
    assert.equal(String(body), PLAYLIST)
  }
  assert.equal(origin.count(), 2)
  await settled(relais)
})

test('a body that still comes is joined only by those it fits', async (t) => {
  const rest = barrier()
  const origin = await openOrigin(t, async (request, response) => {
    const language = request.headers['accept-language']
    response.writeHead(200, { 'cache-control': 'max-age=60', vary: 'Accept-Language' })
    response.write(`first ${language} `)
    await rest.opened
    response.end(`second ${language}`)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/subtitles.vtt`
  const french = openViewer(url, { headers: { 'accept-language': 'fr' } })
  await french.reached(9)
  const german = openViewer(url, { headers: { 'accept-language': 'de' } })
  await german.reached(9)
  const alsoFrench = openViewer(url, { headers: { 'accept-language': 'fr' } })
  await alsoFrench.reached(9)
  rest.open()
  assert.equal(String((await french.answer).body), 'first fr second fr')
  assert.equal(String((await german.answer).body), 'first de second de')
  assert.equal(String((await alsoFrench.answer).body), 'first fr second fr')
  assert.equal(origin.count(), 2)
  assert.equal((await settled(relais)).memory.entries, 2)
})

test('what players say of themselves makes no variants, whatever the origin says', async (t) => {
  const vary = 'CMCD-Session, CMCD-Request, X-Playback-Session-Id'
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'segment', { 'cache-control': 'max-age=60', vary }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const name of ['a', 'b']) {
    const headers = { 'cmcd-session': `sid="${name}"`, 'x-playback-session-id': name }
    const answer = await get(`${relais.url}/a.ts`, { headers })
    assert.equal(answer.headers.vary, vary, 'caches of viewers are told')
  }
  assert.equal(origin.count(), 1)
})
