/** What one audience of a live stream is shown is no measure for another, nor is what another route leads to. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { get } from '../support/client.ts'
import { type Handler, openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const PLAYLIST = '/live/a.m3u8'
const TYPE = { 'content-type': 'application/vnd.apple.mpegurl' }

function playlist(first: number, more = '', names = 's'): string {
  const segments = [0, 1, 2].map((index) => `#EXTINF:4,\n${names}${first + index}.ts\n`)
  return `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:${first}\n${more}${segments.join('')}`
}

interface Scene {
  readonly origin: TestOrigin
  readonly relais: TestRelais
  /** The first segment that each player is shown; others may be set. */
  readonly firsts: Record<string, number>
  as(player: string, target?: string): Promise<string>
}

/** Segments say how often they were asked for. */
async function open(t: TestContext, firsts: Record<string, number>, more = ''): Promise<Scene> {
  const handler: Handler = (request, response) => {
    const { url = '', headers } = request
    if (!url.startsWith(PLAYLIST)) return reply(response, `${url} ${origin.count(url)}`)
    const first = firsts[String(headers['user-agent'])] ?? 0
    return reply(response, playlist(first, more), { ...TYPE, vary: 'User-Agent' })
  }
  const origin = await openOrigin(t, handler)
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const as = async (player: string, target = PLAYLIST): Promise<string> =>
    (await get(relais.url + target, { headers: { 'user-agent': player } })).body.toString()
  return { origin, relais, firsts, as }
}

test('a playlist that is another for each player does not begin anew when the other asks', async (t) => {
  const { relais, as, firsts } = await open(t, { tv: 100, phone: 7 })
  const shown = async (): Promise<readonly string[]> => [await as('tv'), await as('phone')]
  assert.deepEqual(await shown(), [playlist(100), playlist(7)])
  assert.match(await as('tv', '/live/s100.ts'), /1$/)
  for (const further of [1, 2, 3]) {
    // Longer than any origin is believed to lag.
    relais.clock.advance(further === 2 ? 13_000 : 2_100)
    Object.assign(firsts, { tv: 100 + further, phone: 7 + further })
    assert.equal(await as('phone'), playlist(7 + further))
    if (further === 3) assert.equal(await as('tv'), playlist(103))
  }
  assert.match(await as('tv', '/live/s100.ts'), /1$/, 'nothing was dropped')
  assert.deepEqual(
    (await relais.stats()).streams.map(({ generation }) => generation),
    [1],
  )
})

test('no variant of a playlist goes backwards', async (t) => {
  const { relais, as, firsts } = await open(t, { tv: 100, phone: 7 })
  for (const player of ['tv', 'phone']) await as(player)
  relais.clock.advance(2_100)
  Object.assign(firsts, { tv: 99, phone: 6 })
  assert.deepEqual([await as('tv'), await as('phone')], [playlist(100), playlist(7)])
})

test('which directives can be meant the variant says that the viewer is shown', async (t) => {
  const control = '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXT-X-PART-INF:PART-TARGET=0.5\n'
  const { relais, as } = await open(t, { tv: 100, phone: 7 }, control)
  for (const player of ['tv', 'phone']) await as(player)
  for (const [player, last] of [
    ['tv', 102],
    ['phone', 9],
  ] as const) {
    const headers = { 'user-agent': player }
    const url = `${relais.url}${PLAYLIST}?_HLS_msn=`
    assert.match(String((await get(url + last, { headers })).headers['cache-status']), /; hit/, player)
    assert.equal((await get(`${url}${last + 30}`, { headers })).status, 400, player)
  }
})

test('what a manifest lists is forgotten where viewers have it from, by whatever route that is', async (t) => {
  let [first, run] = [100, 1]
  const manifests = await openOrigin(t, (_request, response) =>
    reply(response, playlist(first, '', `${media.url}/s`), TYPE),
  )
  const media = await openOrigin(t, (request, response) => reply(response, `${request.url} of run ${run}`))
  const routes = [
    { prefix: '/live/', origins: [manifests.url] },
    { prefix: '/media/', origins: [media.url] },
  ]
  const relais = await openTestRelais(t, { file: { routes } })
  const body = async (target: string): Promise<string> => (await get(relais.url + target)).body.toString()
  await body(PLAYLIST)
  assert.match(await body('/media/s100.ts'), /run 1$/)
  assert.match(await body('/media/s0.ts'), /run 1$/)
  relais.clock.advance(13_000)
  ;[first, run] = [0, 2]
  assert.equal(await body(PLAYLIST), playlist(0, '', '/media/s'))
  for (const target of ['/media/s100.ts', '/media/s0.ts']) assert.match(await body(target), /run 2$/, target)
})
