/** What tells those who work for a viewer that he has left: at once, and only when he has. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { leaving } from '../../src/http/delivery.ts'

/** An answer that nobody has begun, and the viewer who waits for it. */
async function openAnswer(
  t: TestContext,
): Promise<{ response: ServerResponse; viewer: ReturnType<typeof connect> }> {
  const server = createServer()
  const asked = once(server, 'request')
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // The address of what listens on TCP is no path.
  const { port } = server.address() as AddressInfo
  const viewer = connect(port, '127.0.0.1')
  viewer.resume().on('error', () => undefined) // resets are what is tested
  t.after(() => {
    viewer.destroy()
    server.close()
  })
  viewer.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const [, response]: ServerResponse[] = await asked
  return { response: response ?? assert.fail('no request came'), viewer }
}

test('a viewer who goes in the middle of the answer has left', async (t) => {
  const { response, viewer } = await openAnswer(t)
  const signal = leaving(response)
  response.write('half')
  const closed = once(response, 'close')
  viewer.resetAndDestroy()
  await closed
  assert.ok(signal.aborted)
})

test('a viewer who went before anybody looked at his request has left', async (t) => {
  const { response, viewer } = await openAnswer(t)
  const closed = once(response, 'close')
  viewer.resetAndDestroy()
  await closed
  assert.ok(leaving(response).aborted)
})

test('a viewer who has all of it has not left', async (t) => {
  const { response } = await openAnswer(t)
  const signal = leaving(response)
  const closed = once(response, 'close')
  response.end('all')
  await closed
  assert.equal(signal.aborted, false)
})
