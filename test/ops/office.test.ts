/** The office: open to those who run the node, not there for all others, and never the origin's. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const TOKEN = 'a-token-of-some-length'

async function open(
  t: TestContext,
  ops?: Record<string, unknown>,
): Promise<{ origin: TestOrigin; relais: TestRelais }> {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'x', { 'cache-control': 'max-age=60' }),
  )
  const file = ops === undefined ? {} : { ops }
  return { origin, relais: await openTestRelais(t, { origins: [origin.url], file }) }
}

test('/stats tells of everything there is, and its sums agree', async (t) => {
  const { relais } = await open(t)
  for (const path of ['/a.ts', '/a.ts', '/b.ts', '/a/../b']) await get(relais.url + path)
  await settled(relais)
  const { status, headers, body } = await get(`${relais.url}/stats`)
  assert.equal(status, 200)
  assert.match(headers['content-type'] ?? '', /^application\/json/)
  assert.equal(headers['cache-control'], 'no-store')
  const stats = JSON.parse(body.toString())
  assert.deepEqual(stats.requests, { total: 4, hit: 1, stale: 0, miss: 2, collapsed: 0, pass: 0, error: 1 })
  for (const name of ['node', 'version', 'uptimeSeconds', 'bytes', 'origin', 'memory', 'disk', 'viewers']) {
    assert.notEqual(stats[name], undefined, name)
  }
  assert.equal(stats.node, 'test')
  assert.deepEqual(stats.bytes.fromOrigin, 2)
  assert.deepEqual(stats.origin, { requests: 2, errors: 0 })
  assert.equal(stats.memory.entries, 2)
  assert.equal(stats.routes[0].prefix, '/')
  assert.equal(stats.routes[0].origins[0].requests, 2)
  assert.ok(Array.isArray(stats.streams) && Array.isArray(stats.siblings))
})

test('it lives and is ready', async (t) => {
  const { relais } = await open(t)
  for (const path of ['/-/live', '/-/ready', '/-/ready?from=lb']) {
    const { status, headers } = await get(relais.url + path)
    assert.deepEqual([status, headers['cache-control']], [200, 'no-store'], path)
  }
})

test('a question for health is not a viewer’s request: neither counted nor logged', async (t) => {
  const { relais } = await open(t)
  for (const path of ['/-/live', '/-/ready', '/stats']) await get(relais.url + path)
  assert.equal((await relais.stats()).requests.total, 0)
  await relais.close()
  assert.deepEqual(
    relais.log.filter(({ msg }) => msg === 'request'),
    [],
  )
})

test('HEAD answers as GET, without the body', async (t) => {
  const { relais } = await open(t)
  for (const path of ['/stats', '/-/live', '/-/ready']) {
    const { status, headers, body } = await get(relais.url + path, { method: 'HEAD' })
    assert.equal(status, 200, path)
    assert.ok(Number(headers['content-length']) > 0, path)
    assert.equal(body.length, 0)
  }
})

test('no path of the office ever reaches the origin, whatever the method and the query', async (t) => {
  const { origin, relais } = await open(t)
  const paths = [
    '/stats',
    '/stats?x=1',
    '/metrics',
    '/metrics?x=1',
    '/-/',
    '/-/anything',
    '/-/live/x',
    '/-/%zz',
  ]
  for (const path of paths) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'PURGE']) {
      await get(relais.url + path, { method, ...(method === 'POST' ? { body: 'x' } : {}) })
    }
  }
  assert.equal(origin.count(), 0)
})

test('names that only begin like the office are the origin’s', async (t) => {
  const { origin, relais } = await open(t)
  for (const path of ['/statistics.ts', '/stats.json', '/metrics2', '/-x', '/a/stats']) {
    assert.equal((await get(relais.url + path)).body.toString(), 'x', path)
  }
  assert.equal(origin.count(), 5)
})

test('for an address that is not trusted it does not exist, whatever it claims to forward for', async (t) => {
  const { origin, relais } = await open(t, { trusted: [], token: TOKEN })
  const claims = { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1', 'x-real-ip': '::1' }
  for (const path of ['/stats', '/-/live', '/-/ready', '/-/anything', '/metrics']) {
    const { status, headers, body } = await get(relais.url + path, { headers: claims })
    assert.equal(status, 404, path)
    assert.equal(JSON.parse(body.toString()).error, 'NOT_FOUND')
    assert.equal(headers['www-authenticate'], undefined)
  }
  const absolute = await get(relais.url, { headers: claims })
  assert.equal(absolute.status, 200)
  assert.equal(origin.count(), 1)
})

test('a bearer token opens it', async (t) => {
  const { relais } = await open(t, { trusted: [], token: TOKEN })
  const stats = (token: string): Promise<{ status: number }> =>
    get(`${relais.url}/stats`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal((await stats(TOKEN)).status, 200)
  assert.equal((await stats(`${TOKEN}x`)).status, 404)
})

test('a token for the office is not sent to the origin by asking the office', async (t) => {
  const { origin, relais } = await open(t, { trusted: [], token: TOKEN })
  await get(`${relais.url}/-/anything`, { headers: { authorization: `Bearer ${TOKEN}` } })
  assert.equal(origin.count(), 0)
})
