/** Trailers end here: the body arrives whole, without them and without an announcement of them (RFC 9110 section 6.5). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { openRawOrigin } from '../support/raw-origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { openWire } from '../support/wire.ts'

const WITH_TRAILERS =
  'HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, cache-control\r\n\r\n' +
  '4\r\nbody\r\n0\r\nx-sum: 1\r\ncache-control: no-store\r\n\r\n'

for (const method of ['GET', 'POST']) {
  test(`trailers in the answer to a ${method} are dropped cleanly, and the connection goes on`, async (t) => {
    const origin = await openRawOrigin(t, (socket) => socket.write(WITH_TRAILERS))
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const head = `${method} /seg1.ts HTTP/1.1\r\nhost: cdn.example\r\nte: trailers\r\ncontent-length: 0\r\n\r\n`
    const wire = await openWire(t, relais.url)
    for (let round = 1; round <= 2; round++) {
      wire.write(head)
      await wire.seen(new RegExp(`(?:200 OK[\\s\\S]*?body[\\s\\S]*?){${round}}$`))
    }
    assert.doesNotMatch(wire.received, /x-sum|trailer|no-store/i)
    assert.equal(origin.requests, method === 'GET' ? 1 : 2)
  })
}

test('trailers of a request do not reach the origin, nor does what announces them', async (t) => {
  const heads: string[] = []
  const origin = await openRawOrigin(t, (socket, head) => {
    heads.push(head)
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const head =
    'POST /a HTTP/1.1\r\nhost: cdn.example\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\nte: trailers\r\n\r\n'
  const wire = await openWire(t, relais.url, `${head}4\r\ndata\r\n0\r\nx-sum: 1\r\n\r\n`)
  await wire.seen(/200 OK[\s\S]*body$/)
  assert.doesNotMatch(heads.join('\n'), /x-sum|trailer/i)
  assert.equal((await get(`${relais.url}/a`)).status, 200)
})

test('a trailer that would frame the body anew breaks the answer off: it is neither believed nor kept', async (t) => {
  const framed = WITH_TRAILERS.replace('x-sum: 1', 'content-length: 9')
  const origin = await openRawOrigin(t, (socket) => socket.write(framed))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (let count = 1; count <= 2; count++) {
    assert.equal((await get(`${relais.url}/seg1.ts`)).isWhole, false)
    assert.equal(origin.requests, count)
  }
})
