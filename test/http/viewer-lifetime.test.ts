/** No browser keeps a live manifest for longer than Relais does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

const LIVE = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n'

interface Said {
  readonly origin: Record<string, string>
  /** What viewers are told at once, and a second later. */
  readonly viewers: readonly (string | undefined)[]
  readonly text?: string
}

const SAID: Readonly<Record<string, Said>> = {
  'an origin that says nothing': { origin: {}, viewers: ['max-age=2', 'max-age=2'] },
  'one that only says when it changed': {
    origin: { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' },
    viewers: ['max-age=2', 'max-age=2'],
  },
  'one that tells caches less than browsers': {
    origin: { 'cache-control': 'public, max-age=86400, s-maxage=3' },
    viewers: ['max-age=3, public, s-maxage=3', 'max-age=3, public, s-maxage=3'],
  },
  'one that tells this cache less than browsers': {
    origin: { 'cache-control': 'max-age=60', 'cdn-cache-control': 'max-age=3' },
    viewers: ['max-age=3', 'max-age=3'],
  },
  'one that tells browsers less than caches': {
    origin: { 'cache-control': 'max-age=1, s-maxage=3' },
    viewers: ['max-age=1, s-maxage=3', 'max-age=1, s-maxage=3'],
  },
  'one that tells both the same': {
    origin: { 'cache-control': 'max-age=2' },
    viewers: ['max-age=2', 'max-age=2'],
  },
  'one that says it with Expires': {
    origin: { 'cdn-cache-control': 'max-age=2', expires: 'Fri, 01 Jan 2038 00:00:00 GMT' },
    viewers: ['max-age=2', 'max-age=2'],
  },
  'one that says nothing of what has ended': {
    origin: {},
    viewers: [undefined, undefined],
    text: `${LIVE}#EXT-X-ENDLIST\n`,
  },
}

for (const [name, { origin: headers, viewers, text = LIVE }] of Object.entries(SAID)) {
  test(`viewers keep a playlist no longer than Relais: ${name}`, async (t) => {
    const origin = await openOrigin(t, (_request, response) => reply(response, text, headers))
    const relais = await openTestRelais(t, { origins: [origin.url] })
    for (const said of viewers) {
      const answer = await get(`${relais.url}/live/a.m3u8`)
      assert.equal(answer.headers['cache-control'], said)
      assert.equal(answer.headers.expires, undefined)
      relais.clock.advance(1000)
    }
    assert.equal(origin.count(), 1)
  })
}

test('the age that a playlist came with is taken from the time for which it is kept', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, LIVE, { age: '1' }))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const target = `${relais.url}/live/a.m3u8`
  assert.equal((await get(target)).headers['cache-control'], 'max-age=2')
  relais.clock.advance(900)
  await get(target)
  assert.equal(origin.count(), 1)
  relais.clock.advance(200)
  await get(target)
  assert.equal(origin.count(), 2)
})

test('a compressed playlist is kept no longer, and neither is one that has not changed', async (t) => {
  const text = LIVE + '#EXTINF:4,\nsegment.ts\n'.repeat(200)
  const origin = await openOrigin(t, (_request, response) => reply(response, text, { etag: '"1"' }))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const target = `${relais.url}/live/a.m3u8`
  const packed = await get(target, { headers: { 'accept-encoding': 'gzip' } })
  assert.equal(packed.headers['cache-control'], 'max-age=2')
  const unchanged = await get(target, { headers: { 'if-none-match': '"1"' } })
  assert.deepEqual([unchanged.status, unchanged.headers['cache-control']], [304, 'max-age=2'])
})
