/** A segment that is not there yet: players ask too early, all at once, and the origin is asked once. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const VIEWERS = 50
const LIVE = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:4,\nseg7.ts\n'
const LOW_LATENCY = `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=0.333\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:4,\nseg7.ts\n`

async function openLive(t: TestContext, playlist: string, missing: (response: ServerResponse) => unknown) {
  let isThere = false
  const origin = await openOrigin(t, (request, response) => {
    if (request.url?.endsWith('.m3u8')) reply(response, playlist)
    else if (isThere) reply(response, 'segment')
    else missing(response)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  assert.equal((await get(`${relais.url}/live.m3u8`)).status, 200)
  const ask = async (): Promise<readonly string[]> => {
    const answers = Array.from({ length: VIEWERS }, () => get(`${relais.url}/seg8.ts`))
    return (await Promise.all(answers)).map(({ status, body }) => `${status} ${body}`)
  }
  const appears = (): void => {
    isThere = true
  }
  return { origin, relais, ask, appears, count: () => origin.count('/seg8.ts') }
}

const PAGE = { 'cache-control': 'max-age=60, stale-while-revalidate=60' }

for (const [law, playlist, status, told, keptMs] of [
  ['fifty viewers of a 404 at the live edge cost one request a second', LIVE, 404, {}, 1000],
  ['fifty viewers of a 410 at the live edge cost one request a second', LIVE, 410, {}, 1000],
  ['it is forgotten within a second, whatever lifetime its page was given', LIVE, 404, PAGE, 1000],
  ['of a stream with shorter parts it is forgotten within a part', LOW_LATENCY, 404, {}, 333],
] as const) {
  test(`what is missing at the live edge: ${law}`, async (t) => {
    const { relais, ask, appears, count } = await openLive(t, playlist, (response) =>
      reply(response, 'not yet', told, status),
    )
    assert.deepEqual([...new Set(await ask())], [`${status} not yet`])
    assert.equal(count(), 1)
    relais.clock.advance(keptMs - 1)
    await ask()
    assert.equal(count(), 1)
    appears()
    relais.clock.advance(1)
    assert.deepEqual([...new Set(await ask())], ['200 segment'])
    assert.equal(count(), 2)
    await settled(relais)
  })
}

test('those who come while the origin still looks for it wait for the one answer', async (t) => {
  const held = barrier()
  const { relais, ask, count } = await openLive(t, LIVE, async (response) => {
    await held.opened
    reply(response, 'not yet', {}, 404)
  })
  const asked = ask()
  await until(async () => (await relais.stats()).waiting === VIEWERS, 'all have asked')
  held.open()
  assert.deepEqual([...new Set(await asked)], ['404 not yet'])
  assert.equal(count(), 1)
  const { requests } = await settled(relais)
  assert.equal(requests.collapsed + requests.hit, VIEWERS - 1)
})

test('a 425 is stored for nobody, whatever lifetime it was given, and is forgotten when the thing is there', async (t) => {
  const told = { 'cache-control': 'public, max-age=60', expires: 'Fri, 01 Jan 2027 00:00:00 GMT' }
  const { relais, ask, appears } = await openLive(t, LIVE, (response) =>
    reply(response, 'too early', told, 425),
  )
  assert.deepEqual([...new Set(await ask())], ['425 too early'])
  const { headers } = await get(`${relais.url}/seg8.ts`)
  assert.doesNotMatch(String(headers['cache-status']), /stored|; hit/)
  appears()
  assert.deepEqual([...new Set(await ask())], ['200 segment'])
  await settled(relais)
})
