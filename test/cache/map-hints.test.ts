/** Init segments that a low-latency playlist hints at (EXT-X-PRELOAD-HINT:TYPE=MAP), as before an advertisement. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { HLS_TYPE, partsPlaylist } from './support/parts-playlist.ts'

const PLAYLIST = '/p.m3u8'
const HINT = '#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="ad-init.mp4"'
const PART_HINT = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="13.1.m4s"'

function playlist(...more: readonly string[]): string {
  return partsPlaylist(more, ['#EXT-X-MAP:URI="init.mp4"'])
}

interface Scene {
  readonly origin: TestOrigin
  readonly relais: TestRelais
  /** What it was asked for besides the playlist, and holds. */
  readonly held: Map<string, ServerResponse>
  /** What the origin has noticed nobody to wait for. */
  readonly freed: string[]
  /** A viewer reloads, and this is the answer. */
  reload(sequence: number, part: number, text: string): Promise<void>
}

async function open(t: TestContext): Promise<Scene> {
  let shown = playlist()
  const held = new Map<string, ServerResponse>()
  const freed: string[] = []
  const origin = await openOrigin(t, (request, response) => {
    const { url = '' } = request
    if (url.startsWith(PLAYLIST)) return reply(response, shown, HLS_TYPE)
    held.set(url, response)
    return request.socket.on('close', () => freed.push(url))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(relais.url + PLAYLIST)
  const reload = async (sequence: number, part: number, text: string): Promise<void> => {
    relais.clock.advance(500)
    shown = text
    const { status } = await get(`${relais.url}${PLAYLIST}?_HLS_msn=${sequence}&_HLS_part=${part}`)
    assert.equal(status, 200)
  }
  return { origin, relais, held, freed, reload }
}

const FIRST_PART = '#EXT-X-PART:DURATION=0.5,URI="13.0.m4s"'

test('a map that is hinted at is asked for once, beside the part after it, and its viewers walk with it', async (t) => {
  const { origin, relais, held, reload } = await open(t)
  await reload(13, 0, playlist(FIRST_PART, HINT, PART_HINT))
  await until(() => held.size === 2, 'both are asked for')
  assert.deepEqual([...held.keys()].toSorted(), ['/13.1.m4s', '/ad-init.mp4'])
  const viewers = Array.from({ length: 20 }, () => get(`${relais.url}/ad-init.mp4`))
  await until(async () => (await relais.stats()).waiting === 22, 'all wait, and Relais itself for both')
  const response = held.get('/ad-init.mp4')
  assert.ok(response !== undefined)
  reply(response, 'map')
  for (const { status, body } of await Promise.all(viewers))
    assert.deepEqual([status, body.toString()], [200, 'map'])
  assert.equal(origin.count('/ad-init.mp4'), 1)
})

test('a map that is listed as it was hinted at is waited for, and one that is withdrawn is let go', async (t) => {
  const { held, freed, reload } = await open(t)
  await reload(13, 0, playlist(FIRST_PART, HINT))
  await until(() => held.has('/ad-init.mp4'), 'it is asked for')
  const listed = ['#EXT-X-DISCONTINUITY', '#EXT-X-MAP:URI="ad-init.mp4"', '#EXTINF:2,', 'ad0.m4s']
  await reload(13, 1, playlist('#EXTINF:2,', '13.m4s', ...listed, HINT.replace('ad-', 'next-')))
  await until(() => held.has('/next-init.mp4'), 'the next one is asked for')
  assert.deepEqual(freed, [])
  await reload(15, 0, playlist('#EXTINF:2,', '13.m4s', ...listed, '#EXT-X-PART:DURATION=0.5,URI="15.0.m4s"'))
  await until(() => freed.length > 0, 'it is let go')
  assert.deepEqual(freed, ['/next-init.mp4'])
})
