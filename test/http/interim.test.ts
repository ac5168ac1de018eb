/** Interim responses (RFC 9110 section 15.2): passed on to the one who is waited for, never stored, never in the way. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { barrier } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { filmBytes, MIB, openFilmOrigin } from '../support/film.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openRawOrigin, type RawOrigin } from '../support/raw-origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { openWire } from '../support/wire.ts'

const LINK = '</style.css>; rel=preload; as=style'
const FINAL = 'HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 4\r\n\r\nbody'

/** What a viewer is sent, from its request to the end of the body. */
async function said(
  t: TestContext,
  relais: TestRelais,
  method = 'GET',
  path = '/seg1.ts',
  version = '1.1',
): Promise<string> {
  const wire = await openWire(t, relais.url, `${method} ${path} HTTP/${version}\r\nhost: cdn.example\r\n\r\n`)
  return (await wire.seen(/^[\s\S]*body$/))[0]
}

async function open(t: TestContext, interim: string): Promise<{ origin: RawOrigin; relais: TestRelais }> {
  const origin = await openRawOrigin(t, (socket) => socket.write(interim + FINAL))
  return { origin, relais: await openTestRelais(t, { origins: [origin.url] }) }
}

test('early hints reach the viewer who caused a fill before the answer does, and are not stored', async (t) => {
  const { origin, relais } = await open(
    t,
    `HTTP/1.1 103 Early Hints\r\nlink: ${LINK}\r\nx-hint: 1\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\n`,
  )
  const first = await said(t, relais)
  assert.match(first, /^HTTP\/1\.1 103 Early Hints\r\n/)
  const [hints = '', final = ''] = first.split('\r\n\r\n')
  assert.ok(hints.includes(`Link: ${LINK}`))
  assert.match(hints, /x-hint: 1/)
  assert.doesNotMatch(hints, /x-hop|connection/i)
  assert.match(final, /^HTTP\/1\.1 200 OK\r\n/)
  assert.doesNotMatch(final, /x-hint|link/i)
  const hit = await said(t, relais)
  assert.match(hit, /^HTTP\/1\.1 200 OK\r\n[\s\S]*; hit/)
  assert.doesNotMatch(hit, /103 Early|x-hint/)
  assert.equal(origin.requests, 1)
})

test('a viewer is told of work in progress while the origin still works', async (t) => {
  const gate = barrier()
  const origin = await openRawOrigin(t, async (socket) => {
    socket.write('HTTP/1.1 102 Processing\r\n\r\n')
    await gate.opened
    socket.write(FINAL)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const wire = await openWire(t, relais.url, 'GET /seg1.ts HTTP/1.1\r\nhost: cdn.example\r\n\r\n')
  await wire.seen(/^HTTP\/1\.1 102 Processing\r\n\r\n$/)
  gate.open()
  await wire.seen(/200 OK[\s\S]*body$/)
})

for (const method of ['POST', 'HEAD']) {
  test(`hints in the answer to a passed ${method} reach the viewer as well`, async (t) => {
    const origin = await openOrigin(t, (_request, response) => {
      response.writeEarlyHints({ link: LINK })
      reply(response, 'body')
    })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const head = `${method} /a HTTP/1.1\r\nhost: cdn.example\r\ncontent-length: 0\r\n\r\n`
    const wire = await openWire(t, relais.url, head)
    await wire.seen(/^HTTP\/1\.1 103 Early Hints\r\n[\s\S]*HTTP\/1\.1 200 OK\r\n/)
  })
}

test('HTTP/1.0 never hears of interim responses', async (t) => {
  const { relais } = await open(
    t,
    `HTTP/1.1 103 Early Hints\r\nlink: ${LINK}\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n`,
  )
  assert.match(await said(t, relais, 'GET', '/seg1.ts', '1.0'), /^HTTP\/1\.1 200 OK\r\n/)
})

const UNTELLABLE: readonly (readonly [string, string])[] = [
  ['hints without a Link', 'HTTP/1.1 103 Early Hints\r\nx-hint: 1\r\n\r\n'],
  ['hints with a Link that is none', 'HTTP/1.1 103 Early Hints\r\nlink: nonsense\r\n\r\n'],
  ['a status of its own', 'HTTP/1.1 199 Soon\r\nx: 1\r\n\r\n'],
  ['a hundred of them', 'HTTP/1.1 199 Soon\r\n\r\n'.repeat(100)],
]
for (const [what, interim] of UNTELLABLE) {
  test(`an answer behind ${what} arrives whole, without them`, async (t) => {
    const { relais } = await open(t, interim)
    assert.match(await said(t, relais), /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(await said(t, relais), /; hit/)
  })
}

test('hints that come when the viewer has been answered from store harm nobody', async (t) => {
  const origin = await openOrigin(t, (request, response) => {
    if (request.headers['if-none-match'] !== undefined) response.writeEarlyHints({ link: LINK })
    reply(response, 'body', { 'cache-control': 'max-age=10, stale-while-revalidate=60', etag: '"1"' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(11_000)
  const wire = await openWire(t, relais.url)
  for (let round = 1; round <= 2; round++) {
    wire.write('GET /seg1.ts HTTP/1.1\r\nhost: cdn.example\r\n\r\n')
    await wire.seen(new RegExp(`(?:200 OK[\\s\\S]*?body[\\s\\S]*?){${round}}$`))
    await origin.reached(2)
  }
  assert.doesNotMatch(wire.received, /103 Early/)
})

test('hints that come with a later slice of the same answer are not written into its body', async (t) => {
  const origin = await openFilmOrigin(t)
  origin.answer((request, response) => {
    response.writeProcessing()
    response.writeEarlyHints({ link: LINK })
    return origin.show(request, response)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const { status, body } = await get(`${relais.url}/film.mp4`)
  assert.equal(status, 200)
  assert.ok(body.equals(filmBytes(0, 8 * MIB - 1)))
  assert.equal(origin.count(), 4)
})

for (const method of ['GET', 'POST']) {
  test(`an origin that says 100 Continue to a ${method} without having been asked is understood, however the bytes come`, async (t) => {
    const answer = `HTTP/1.1 100 Continue\r\nx: 1\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${FINAL}`
    const origin = await openRawOrigin(t, async (socket) => {
      socket.setNoDelay(true)
      for (const character of answer)
        await new Promise<void>((resolve) => socket.write(character, () => resolve()))
    })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    for (let round = 1; round <= 2; round++) {
      const { status, body } = await get(`${relais.url}/${round}.ts`, { method })
      assert.deepEqual([status, String(body)], [200, 'body'])
    }
  })
}

test('a body that looks like a 100 Continue is a body', async (t) => {
  const body = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'
  const origin = await openRawOrigin(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`, () => socket.write(body))
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const method of ['GET', 'POST']) {
    assert.equal(String((await get(`${relais.url}/seg1.ts`, { method })).body), body)
  }
})

test('an origin that says nothing but 100 Continue is given up in time, and no answer is made of it', async (t) => {
  const origin = await openRawOrigin(t, (socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'))
  const relais = await openTestRelais(t, {
    origins: [origin.url],
    file: { upstream: { headTimeout: '100ms' } },
  })
  assert.equal((await get(`${relais.url}/seg1.ts`)).status, 504)
})

test('an origin that goes away behind a 100 Continue is an error and nothing else', async (t) => {
  const origin = await openRawOrigin(t, (socket) => socket.end('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 1'))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const { status, isWhole } = await get(`${relais.url}/seg1.ts`)
  assert.deepEqual([status, isWhole], [502, true])
})
