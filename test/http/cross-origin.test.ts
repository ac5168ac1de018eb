/** Pages of other hosts read media: by the origin's leave, or, where the route says so, by ours. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openToPages } from '../../src/cache/cross-origin.ts'
import { get, raw } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

/** Names the page that asked, as many origins do. */
async function open(t: TestContext, cors: string): Promise<{ relais: TestRelais; origin: TestOrigin }> {
  const origin = await openOrigin(t, (request, response) => {
    const headers = {
      'access-control-allow-origin': request.headers.origin ?? 'https://nobody.example',
      'access-control-allow-credentials': 'true',
      vary: 'Accept-Encoding, Origin',
      'cache-control': request.url === '/own.ts' ? 'private' : 'max-age=60',
      etag: '"1"',
    }
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304, headers).end()
    else reply(response, 'segment', headers, request.url === '/none.ts' ? 404 : 200)
  })
  const relais = await openTestRelais(t, { file: { routes: [{ prefix: '/', origins: [origin.url], cors }] } })
  return { relais, origin }
}

const from = (page: string, more: Record<string, string> = {}): { headers: Record<string, string> } => ({
  headers: { origin: `https://${page}.example`, ...more },
})
const PREFLIGHT = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'range' }

test('by default the origin says which page may read, each page has its variant, and preflights are its own', async (t) => {
  const { relais, origin } = await open(t, 'origin')
  for (const page of ['one', 'two']) {
    const { headers } = await get(`${relais.url}/seg1.ts`, from(page))
    assert.equal(headers['access-control-allow-origin'], `https://${page}.example`)
  }
  assert.equal(origin.count(), 2)
  await get(`${relais.url}/seg1.ts`, { method: 'OPTIONS', ...from('one', PREFLIGHT) })
  assert.equal(origin.asked.at(-1)?.method, 'OPTIONS')
})

test('where the route settles it one fill is for all pages, and the origin does not learn which one asked', async (t) => {
  const { relais, origin } = await open(t, 'edge')
  for (const page of ['one', 'two', 'three']) {
    for (const range of [{}, { range: 'bytes=0-1' }, { range: 'bytes=99-' }]) {
      const { headers, status } = await get(`${relais.url}/seg1.ts`, from(page, range))
      assert.equal(headers['access-control-allow-origin'], '*', String(status))
      assert.equal(headers['access-control-allow-credentials'], undefined)
      assert.equal(headers['timing-allow-origin'], '*')
      assert.match(String(headers['access-control-expose-headers']), /\bAge, Cache-Status\b/)
      assert.equal(headers.vary, 'Accept-Encoding')
    }
  }
  assert.equal(origin.count(), 1)
  assert.equal(origin.asked[0]?.headers.origin, undefined)
})

test('what is passed on, errors of the origin and errors of ours may be read by all pages as well', async (t) => {
  const { relais, origin } = await open(t, 'edge')
  for (const path of ['/own.ts', '/none.ts', '/../x.ts']) {
    const { headers } = await get(relais.url + path, from('one'))
    assert.equal(headers['access-control-allow-origin'], '*', path)
  }
  await origin.close()
  const { status, headers } = await get(`${relais.url}/seg9.ts`, from('one'))
  assert.deepEqual([status, headers['access-control-allow-origin']], [502, '*'])
})

test('a validation leaves it as it is', async (t) => {
  const { relais, origin } = await open(t, 'edge')
  await get(`${relais.url}/seg1.ts`, from('one'))
  relais.clock.advance(61_000)
  for (let count = 0; count < 2; count++) {
    const { headers } = await get(`${relais.url}/seg1.ts`, from('two'))
    assert.equal(headers['access-control-allow-origin'], '*')
    assert.equal(headers.vary, 'Accept-Encoding')
  }
  assert.deepEqual([origin.count(), origin.asked[1]?.headers['if-none-match']], [2, '"1"'])
})

test('preflights of reading are answered here, and those of writing by the origin', async (t) => {
  const { relais, origin } = await open(t, 'edge')
  const { status, headers, body } = await get(`${relais.url}/seg1.ts?a=1`, {
    method: 'OPTIONS',
    ...from('one', PREFLIGHT),
  })
  assert.deepEqual([status, body.length, headers['access-control-allow-origin']], [204, 0, '*'])
  assert.equal(headers['access-control-allow-methods'], 'GET, HEAD, OPTIONS')
  assert.match(String(headers['access-control-allow-headers']), /\bCMCD-Session\b.*\bRange\b/)
  assert.equal(headers['access-control-max-age'], '86400')
  assert.equal(origin.count(), 0)
  assert.equal((await relais.stats()).requests.total, 0)
  const writing = { ...PREFLIGHT, 'access-control-request-method': 'POST' }
  await get(`${relais.url}/licence`, { method: 'OPTIONS', ...from('one', writing) })
  await get(`${relais.url}/seg1.ts`, { method: 'OPTIONS', ...from('one') })
  assert.equal(origin.count(), 2)
})

test('a preflight that could be read in two ways is refused, and none is answered for the office', async (t) => {
  const { relais, origin } = await open(t, 'edge')
  const fields =
    'Origin: https://one.example\r\nAccess-Control-Request-Method: GET\r\nConnection: close\r\n\r\n'
  assert.match(await raw(relais.url, `OPTIONS /seg1.ts HTTP/1.1\r\n${fields}`), /^HTTP\/1\.1 400 /)
  assert.match(await raw(relais.url, `OPTIONS /a/../b HTTP/1.1\r\nHost: a\r\n${fields}`), /^HTTP\/1\.1 400 /)
  assert.match(await raw(relais.url, `OPTIONS /-/live HTTP/1.1\r\nHost: a\r\n${fields}`), /^HTTP\/1\.1 404 /)
  assert.match(await raw(relais.url, `OPTIONS /stats HTTP/1.1\r\nHost: a\r\n${fields}`), /^HTTP\/1\.1 404 /)
  assert.match(await raw(relais.url, `OPTIONS /metrics HTTP/1.1\r\nHost: a\r\n${fields}`), /^HTTP\/1\.1 404 /)
  assert.equal(origin.count(), 0)
})

test('what an answer varies by for other reasons than pages stays', () => {
  const varying = (vary: string | string[]): unknown => openToPages({ vary })['vary']
  assert.equal(varying('*'), '*')
  assert.equal(varying('ORIGIN , accept-language,, Access-Control-Request-Method'), 'accept-language')
  assert.equal(varying(['Origin', 'Accept-Encoding', 'Cookie']), 'Accept-Encoding, Cookie')
  assert.equal(varying('Origin'), undefined)
  assert.equal('vary' in openToPages({ vary: 'Origin' }), false)
})
