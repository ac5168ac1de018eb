/** For whom a request is made: a pass says for which viewer, a fill for everyone names none (RFC 7239). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

test("a pass says the viewer's address and the host he asked, behind what came before", async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const { host } = new URL(relais.url)
  const own = `for=127.0.0.1;proto=http;host="${host}"`
  await get(`${relais.url}/a`, { method: 'POST' })
  await get(`${relais.url}/a`, { method: 'HEAD', headers: { forwarded: 'for=192.0.2.1' } })
  await get(`${relais.url}/a`, { headers: { 'if-match': '"1"', 'x-forwarded-for': '192.0.2.1' } })
  assert.deepEqual(
    origin.asked.map(({ headers }) => [headers['forwarded'], headers['x-forwarded-for']]),
    [
      [own, undefined],
      [`for=192.0.2.1, ${own}`, undefined],
      [own, '192.0.2.1, 127.0.0.1'],
    ],
  )
})

test('a fill names nobody, whatever the viewer said of himself', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'x', { 'cache-control': 'max-age=60' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const headers = { forwarded: 'for=192.0.2.1', 'x-forwarded-for': '192.0.2.1', 'x-real-ip': '192.0.2.1' }
  await get(`${relais.url}/seg1.ts`, { headers })
  const { headers: asked } = origin.asked[0] ?? {}
  assert.equal(asked?.['forwarded'], 'for=_shared')
  assert.doesNotMatch(JSON.stringify(asked), /192\.0\.2\.1/)
})
