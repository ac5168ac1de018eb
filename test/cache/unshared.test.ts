/** What of a shared response is for one viewer alone: its cookie, and the fields that the origin lets nobody use twice. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

test('the one who caused a fill gets his cookie and his fields, whoever comes after gets neither', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'segment', {
      'cache-control': 's-maxage=60, no-cache="x-once"',
      'set-cookie': ['session=1; HttpOnly', 'seen=1'],
      'x-once': '1',
      'x-all': '1',
    }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.ts`
  const first = await get(url)
  assert.deepEqual(first.headers['set-cookie'], ['session=1; HttpOnly', 'seen=1'])
  assert.deepEqual([first.headers['x-once'], first.headers['x-all']], ['1', '1'])
  const second = await get(url)
  assert.match(String(second.headers['cache-status']), /; hit/)
  assert.equal(second.headers['set-cookie'], undefined)
  assert.deepEqual([second.headers['x-once'], second.headers['x-all']], [undefined, '1'])
})

test('a cookie that comes with a 304 reaches the one who was asked for', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304, { 'set-cookie': 'a=b' }).end()
    else reply(response, 'segment', { 'cache-control': 's-maxage=10', etag: '"1"' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.ts`
  await get(url)
  relais.clock.advance(11_000)
  assert.deepEqual((await get(url)).headers['set-cookie'], ['a=b'])
  assert.equal((await get(url)).headers['set-cookie'], undefined)
  assert.equal((await get(url, { headers: { 'if-none-match': '"1"' } })).status, 304)
})

test('a route that shares cookies stores them and hands them to all, and renews them with a 304', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    const isKnown = request.headers['if-none-match'] === '"1"'
    const fields = {
      'cache-control': 'max-age=10',
      etag: '"1"',
      'set-cookie': isKnown ? 'region=2' : 'region=1',
    }
    if (isKnown) response.writeHead(304, fields).end()
    else reply(response, 'segment', fields)
  })
  const routes = [{ prefix: '/', origins: [origin.url], cookies: 'share' }]
  const relais = await openTestRelais(t, { file: { routes } })
  const cookieOf = async (): Promise<unknown> =>
    (await get(`${relais.url}/seg1.ts`, { headers: { cookie: 'mine=1' } })).headers['set-cookie']
  for (let viewer = 0; viewer < 2; viewer++) assert.deepEqual(await cookieOf(), ['region=1'])
  assert.equal(origin.count(), 1)
  assert.equal(origin.asked[0]?.headers.cookie, 'mine=1')
  relais.clock.advance(11_000)
  for (let viewer = 0; viewer < 2; viewer++) assert.deepEqual(await cookieOf(), ['region=2'])
  assert.equal(origin.count(), 2)
})
