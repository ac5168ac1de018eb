/** The house as a whole: it opens or says in one sentence why not, and lets go of everything. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import { openRelais } from '../src/server.ts'
import { get } from './support/client.ts'
import { testClock } from './support/clock.ts'
import { openOrigin, reply } from './support/origin.ts'
import { openTestRelais, testConfig } from './support/relais.ts'

const FRESH = { 'cache-control': 'max-age=60' }

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'relais-server-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

test('a port that is taken is one sentence, and the disk is free for the next who tries', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x', FRESH))
  const port = Number(new URL(origin.url).port)
  const disk = { path: await folder(t), maxBytes: '64MB' }
  const config = testConfig({ origins: [origin.url], file: { disk, listen: { host: '127.0.0.1', port } } })
  const surroundings = { clock: testClock().now, logger: pino({ level: 'silent' }), version: '0' }
  await assert.rejects(openRelais(config, surroundings), {
    message: `cannot listen on 127.0.0.1 port ${port}: the port is taken`,
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { disk } })
  assert.equal((await get(`${relais.url}/a.ts`)).status, 200)
  await relais.close()
})

test('two in one process share nothing', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x', FRESH))
  const one = await openTestRelais(t, { origins: [origin.url] })
  const other = await openTestRelais(t, { origins: [origin.url], file: { node: 'other' } })
  await get(`${one.url}/a.ts`)
  const answer = await get(`${other.url}/a.ts`)
  assert.match(answer.headers['cache-status']?.toString() ?? '', /^other; fwd=uri-miss/)
  assert.equal(origin.count(), 2)
  await one.close()
  assert.equal((await get(`${other.url}/a.ts`)).status, 200)
  assert.deepEqual((await other.stats()).requests.total, 2)
})

test('the longest prefix decides between routes, each with its own origins and counts', async (t) => {
  const vod = await openOrigin(t, (_request, response) => reply(response, 'vod', FRESH))
  const live = await openOrigin(t, (_request, response) => reply(response, 'live', FRESH))
  const routes = [
    { prefix: '/', origins: [vod.url] },
    { prefix: '/live/', origins: [live.url] },
  ]
  const relais = await openTestRelais(t, { file: { routes } })
  assert.equal((await get(`${relais.url}/live/a.ts`)).body.toString(), 'live')
  assert.equal((await get(`${relais.url}/live/a.ts`, { method: 'POST' })).body.toString(), 'live')
  assert.equal((await get(`${relais.url}/livelier.ts`)).body.toString(), 'vod')
  assert.equal((await get(`${relais.url}/livelier.ts`, { method: 'POST' })).body.toString(), 'vod')
  const counts = (await relais.stats()).routes.map(({ prefix, requests }) => [prefix, requests.total])
  assert.deepEqual(counts, [
    ['/', 2],
    ['/live/', 2],
  ])
})

test('what was stored on disk is served by the next process, and closing twice is closing once', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'.repeat(10_000), FRESH))
  const disk = { path: await folder(t), maxBytes: '64MB' }
  const first = await openTestRelais(t, { origins: [origin.url], file: { disk } })
  await get(`${first.url}/a.ts`)
  await Promise.all([first.close(), first.close()])
  const second = await openTestRelais(t, { origins: [origin.url], file: { disk } })
  const answer = await get(`${second.url}/a.ts`)
  assert.match(answer.headers['cache-status']?.toString() ?? '', /^test; hit/)
  assert.equal(answer.body.length, 10_000)
  assert.equal(origin.count(), 1)
  await second.close()
})
