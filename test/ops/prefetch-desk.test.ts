/** Orders to fetch: addresses, or a stretch of a stream, within what the origin has room for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { order } from '../support/operator.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

interface Progress {
  readonly id: string
  readonly state: string
  readonly wanted: number
  readonly stored: number
  readonly present: number
  readonly failed: number
  readonly bytes: number
  readonly failures: readonly { readonly target: string; readonly reason: string }[]
}

async function progress(relais: TestRelais, id: string): Promise<Progress> {
  return JSON.parse((await get(`${relais.url}/-/prefetch/${id}`)).body.toString())
}

/** Gives an order and waits until it is over. */
async function fetched(relais: TestRelais, body: unknown): Promise<Progress> {
  const { status, body: begun } = await order(relais.url, '/-/prefetch', body)
  assert.equal(status, 202, JSON.stringify(begun))
  const id = String(begun['id'])
  await until(async () => (await progress(relais, id)).state === 'done', 'the job is done')
  return progress(relais, id)
}

const FRESH = { 'cache-control': 'max-age=60' }
const MEDIA = ['#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD', '#EXT-X-MAP:URI="init.mp4"']
  .concat(
    [0, 1, 2, 3].map((n) => `#EXTINF:6,\n${n}.m4s`),
    '#EXT-X-ENDLIST\n',
  )
  .join('\n')

test('addresses are fetched, those that are there are not, and what fails says why', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    if (request.url === '/none.ts') reply(response, 'no', {}, 404)
    else if (request.url === '/mine.ts') reply(response, 'x', { 'cache-control': 'private' })
    else reply(response, 'four', FRESH)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/there.ts`)
  const done = await fetched(relais, {
    urls: ['/there.ts', '/a.ts', `${relais.url}/b.ts`, '/none.ts', '/mine.ts'],
  })
  assert.deepEqual([done.wanted, done.stored, done.present, done.failed, done.bytes], [5, 2, 1, 2, 8])
  assert.deepEqual(
    done.failures.toSorted((one, other) => (one.target < other.target ? -1 : 1)),
    [
      { target: '/mine.ts', reason: 'not kept: private' },
      { target: '/none.ts', reason: 'status 404' },
    ],
  )
  const before = origin.count()
  for (const path of ['/a.ts', '/b.ts']) {
    assert.match(String((await get(relais.url + path)).headers['cache-status']), /; hit/)
  }
  assert.equal(origin.count(), before)
})

test('of a stream the chosen renditions are fetched, for the chosen time', async (t) => {
  const variant = (folder: string, bandwidth: number, height: number): string =>
    `#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth},RESOLUTION=100x${height},AUDIO="a"\n${folder}/main.m3u8`
  const main = [
    '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",URI="audio/main.m3u8"',
    variant('low', 1_000_000, 360),
    variant('high', 5_000_000, 1080),
    '',
  ].join('\n')
  const mpd =
    '<MPD type="static" mediaPresentationDuration="PT24S"><Period><AdaptationSet mimeType="video/mp4"><SegmentTemplate timescale="10" duration="60" startNumber="1" media="$RepresentationID$/$Number$.m4s" initialization="$RepresentationID$/i.mp4"/><Representation id="v1" height="360" bandwidth="1"/><Representation id="v2" height="720" bandwidth="2"/></AdaptationSet></Period></MPD>'
  for (const [body, expected] of [
    [
      { manifest: '/main.m3u8', renditions: { heights: [360] }, from: 6, to: 18 },
      ['low', 'audio'].flatMap((folder) =>
        ['init.mp4', '1.m4s', '2.m4s'].map((name) => `/${folder}/${name}`),
      ),
    ],
    [
      { manifest: '/main.m3u8', renditions: { minBandwidth: 2e6, maxBandwidth: 9e6 }, from: 20 },
      ['high', 'audio'].flatMap((folder) => ['init.mp4', '3.m4s'].map((name) => `/${folder}/${name}`)),
    ],
    [
      { manifest: '/main.m3u8', renditions: { names: ['English'] }, to: 1 },
      ['/audio/init.mp4', '/audio/0.m4s'],
    ],
    [{ manifest: '/low/main.m3u8', to: 7 }, ['/low/init.mp4', '/low/0.m4s', '/low/1.m4s']],
    [
      { manifest: '/dash.mpd', renditions: { names: ['v2'] }, from: 6, to: 12.5 },
      ['/v2/i.mp4', '/v2/2.m4s', '/v2/3.m4s'],
    ],
    [
      { manifest: '/dash.mpd', renditions: { heights: [360] } },
      [1, 2, 3, 4].map((n) => `/v1/${n}.m4s`).concat('/v1/i.mp4'),
    ],
  ] as const) {
    const origin = await openOrigin(t, ({ url = '' }, response) => {
      const text =
        url === '/main.m3u8' ? main : url.endsWith('.m3u8') ? MEDIA : url.endsWith('.mpd') ? mpd : 'x'
      reply(response, text, FRESH)
    })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const done = await fetched(relais, body)
    const asked = origin.asked.map(({ target }) => target).filter((target) => !/m3u8|mpd/.test(target))
    assert.deepEqual(asked.toSorted(), [...expected].toSorted(), JSON.stringify(body))
    assert.equal(done.wanted, origin.count())
    assert.equal(done.stored, origin.count())
  }
})

test('a job has no more of the connections than its share, and is ended on order', async (t) => {
  const gate = barrier()
  let atOnce = 0
  let most = 0
  const origin = await openOrigin(t, async (_request, response) => {
    most = Math.max(most, ++atOnce)
    await gate.opened
    atOnce--
    reply(response, 'x', FRESH)
  })
  const relais = await openTestRelais(t, {
    origins: [origin.url],
    file: { upstream: { connections: 16 }, prefetch: { segments: 0, share: 25 } },
  })
  const urls = Array.from({ length: 40 }, (_, index) => `/${index}.ts`)
  const { body } = await order(relais.url, '/-/prefetch', { urls })
  const id = String(body['id'])
  await origin.reached(4)
  const ended = await get(`${relais.url}/-/prefetch/${id}`, { method: 'DELETE' })
  assert.equal(JSON.parse(ended.body.toString()).state, 'cancelled')
  await until(async () => (await relais.stats()).jobs.running === 0, 'it is over')
  gate.open()
  await until(async () => (await relais.stats()).fills === 0, 'nothing is under way')
  assert.equal(most, 4)
  assert.equal(origin.count(), 4)
})

test('jobs are bounded in number, and forgotten after an hour', async (t) => {
  const gate = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    await gate.opened
    reply(response, 'x', FRESH)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const ids: string[] = []
  for (let job = 0; job < 8; job++) {
    ids.push(String((await order(relais.url, '/-/prefetch', { url: `/${job}.ts` })).body['id']))
  }
  const more = await order(relais.url, '/-/prefetch', { url: '/more.ts' })
  assert.deepEqual([more.status, more.body['error']], [429, 'TOO_MANY_JOBS'])
  gate.open()
  await until(async () => (await relais.stats()).jobs.running === 0, 'all are over')
  assert.equal((await progress(relais, ids[0] ?? '')).state, 'done')
  relais.clock.advance(3_600_001)
  assert.equal((await get(`${relais.url}/-/prefetch/${ids[0]}`)).status, 404)
})

test('what cannot be understood is refused with what was expected and what came', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const [body, status, told] of [
    [{}, 400, /Expected one of url, urls, manifest, and none came/],
    [{ url: '/a', manifest: '/b' }, 400, /and url and manifest came/],
    [{ urls: [] }, 400, /urls: expected a list of 1 to 1000 addresses, and 0 came/],
    [{ url: '/a', from: 1 }, 400, /from: expected with a manifest only/],
    [{ url: 'http://elsewhere.example/' }, 400, /expected a path, or a URL/],
    [{ url: '/-/purge' }, 404, /No route answers for/],
    [{ manifest: '/a', from: 5, to: 5 }, 400, /to: expected seconds after from, and 5 came/],
    [{ manifest: '/a', from: -1 }, 400, /from: expected a number of 0 or more, and -1 came/],
    [{ manifest: '/a', renditions: { height: 1 } }, 400, /Expected only the keys minBandwidth/],
    [
      { manifest: '/a', renditions: { heights: ['x'] } },
      400,
      /renditions.heights: expected a list of 1 to 100 numbers/,
    ],
    [
      { manifest: '/a', renditions: { names: [] } },
      400,
      /renditions.names: expected a list of 1 to 100 names/,
    ],
  ] as const) {
    const answer = await order(relais.url, '/-/prefetch', body)
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    assert.match(String(answer.body['message']), told)
  }
  assert.equal(origin.count(), 0)
})

test('a manifest that is none, or is not there, is the failure of its job', async (t) => {
  const origin = await openOrigin(t, ({ url }, response) =>
    reply(response, 'no manifest', FRESH, url === '/gone.m3u8' ? 404 : 200),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const [manifest, reason] of [
    ['/gone.m3u8', /404/],
    ['/bad.m3u8', /BAD_MANIFEST/],
  ] as const) {
    const { failed, failures } = await fetched(relais, { manifest })
    assert.equal(failed, 1)
    assert.match(failures[0]?.reason ?? '', reason)
  }
})

test('for all others the desk is not there', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const relais = await openTestRelais(t, { origins: [origin.url], file: { ops: { trusted: [] } } })
  assert.equal((await order(relais.url, '/-/prefetch', { url: '/a' })).status, 404)
  for (const method of ['GET', 'DELETE'])
    assert.equal((await get(`${relais.url}/-/prefetch/x`, { method })).status, 404)
  assert.equal(origin.count(), 0)
})
