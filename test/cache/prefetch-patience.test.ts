/** What is asked for ahead of viewers asks no more of a troubled origin than viewers would, and stands behind them. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { idle, isHit, ON, vod } from './support/ahead.ts'

for (const [name, status, fields] of [
  ['fails', 500, {}],
  ['lets it be kept no more', 200, { 'cache-control': 'no-store' }],
] as const) {
  test(`while a live playlist is fresh, an origin that ${name} is asked for it anew once, however many come`, async (t) => {
    const playlist = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n'
    const origin = await openOrigin(t, (_request, response) =>
      reply(response, playlist, { 'cache-control': 'max-age=4' }),
    )
    const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
    await get(`${relais.url}/live.m3u8`)
    origin.answer((_request, response) => reply(response, playlist, fields, status))
    relais.clock.advance(3_500)
    for (let viewer = 0; viewer < 5; viewer++) {
      assert.ok(isHit(await get(`${relais.url}/live.m3u8`)))
      await idle(relais)
    }
    assert.equal(origin.count(), 2)
  })
}

test('what is fetched ahead stands in line behind viewers, in however great a hurry the one is whom it is for', async (t) => {
  const held = new Map<string, ServerResponse>()
  const first = await openOrigin(t, (request, response) => {
    if (request.url?.endsWith('.m3u8')) return reply(response, vod(3))
    return reply(response, 'segment', { 'cache-control': 'max-age=60' }, request.url === '/s2.ts' ? 503 : 200)
  })
  const second = await openOrigin(t, (request, response) => held.set(request.url ?? '', response))
  const routes = [
    { prefix: '/', origins: [first.url, second.url] },
    { prefix: '/busy', origins: [second.url] },
  ]
  const upstream = { connections: 1 }
  const relais = await openTestRelais(t, { file: { routes, upstream, prefetch: { segments: 1 } } })
  const waiting = async (count: number): Promise<void> => {
    const { url } = second
    const name = new URL(url).host
    await until(async () => {
      const states = (await relais.stats()).routes.flatMap(({ origins }) => origins)
      return states.some((state) => state.name.includes(name) && state.waiting === count)
    }, `${count} wait for the second origin`)
  }
  await get(`${relais.url}/main.m3u8`)
  const busy = get(`${relais.url}/busy/1.ts`)
  await second.reached(1)
  const patient = get(`${relais.url}/busy/2.ts`)
  await waiting(1)
  await get(`${relais.url}/s1.ts`, { headers: { 'cmcd-request': 'su' } })
  await waiting(2)
  for (const [count, path] of [
    [1, '/1.ts'],
    [2, '/2.ts'],
    [3, '/s2.ts'],
  ] as const) {
    await second.reached(count)
    assert.equal(second.asked.at(-1)?.target, path)
    reply(held.get(path) ?? assert.fail(path), 'segment', { 'cache-control': 'max-age=60' })
  }
  await Promise.all([busy, patient])
})
