/** A dead origin is asked once a second, and a living one always. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Circuit } from '../../src/upstream/circuit.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const REFUSING = 'http://127.0.0.1:1'
const IMPATIENT = { connectTimeout: '500ms', headTimeout: '300ms', penalty: '10s' }

test('five refusals in a row open it, four do not, and an answer starts the count anew', () => {
  const circuit = new Circuit(testClock().now)
  for (let failure = 0; failure < 4; failure++) circuit.failed('CONNECTION_REFUSED')
  assert.equal(circuit.isOpen, false)
  circuit.failed('CONNECTION_REFUSED')
  assert.equal(circuit.isOpen, true)
  circuit.answered()
  assert.equal(circuit.isOpen, false)
})

test('two silences open it, for each of them cost a viewer all patience', () => {
  for (const silence of ['RESPONSE_TIMEOUT', 'CONNECTION_TIMEOUT', 'DNS_TIMEOUT'] as const) {
    const circuit = new Circuit(testClock().now)
    circuit.failed(silence)
    assert.equal(circuit.isOpen, false)
    circuit.failed(silence)
    assert.equal(circuit.isOpen, true)
  }
})

test('failures of one response, and of what was never sent, do not count', () => {
  const circuit = new Circuit(testClock().now)
  for (const code of ['RESPONSE_PROTOCOL', 'RESPONSE_HEAD_TOO_LARGE', 'CONNECTION_LIMIT'] as const) {
    for (let failure = 0; failure < 20; failure++) circuit.failed(code)
  }
  assert.equal(circuit.isOpen, false)
})

test('failures half a minute apart have nothing to do with each other', () => {
  const clock = testClock()
  const circuit = new Circuit(clock.now)
  for (let failure = 0; failure < 20; failure++) {
    circuit.declined('/bad.ts')
    clock.advance(30_001)
  }
  assert.equal(circuit.isOpen, false)
})

test('who answered a moment ago is not dead, however much else fails', () => {
  for (const [fail, aliveMs] of [
    [(circuit: Circuit) => circuit.failed('CONNECTION_REFUSED'), 1_000],
    [(circuit: Circuit) => circuit.declined('/bad.ts'), 30_000],
  ] as const) {
    const clock = testClock()
    const circuit = new Circuit(clock.now)
    for (let time = 0; time < 10; time++) {
      circuit.answered()
      for (let failure = 0; failure < 100; failure++) fail(circuit)
      clock.advance(aliveMs - 1)
      fail(circuit)
      assert.equal(circuit.isOpen, false)
    }
    clock.advance(1)
    fail(circuit)
    assert.equal(circuit.isOpen, true)
  }
})

test('who declines whatever it is asked for is dead after a second', () => {
  const clock = testClock()
  const circuit = new Circuit(clock.now)
  circuit.answered()
  clock.advance(999)
  for (let nth = 0; nth < 10; nth++) circuit.declined(`/${nth}.ts`)
  assert.equal(circuit.isOpen, false)
  clock.advance(1)
  circuit.declined('/0.ts')
  assert.equal(circuit.isOpen, true)
  // What it declined before it last answered does not count.
  circuit.answered()
  clock.advance(1_000)
  for (let nth = 0; nth < 10; nth++) circuit.declined(`/${nth % 2}.ts`)
  assert.equal(circuit.isOpen, false)
})

test('who asks for one path that always fails does not keep the others from being the probe', () => {
  const clock = testClock()
  const circuit = new Circuit(clock.now)
  for (let failure = 0; failure < 5; failure++) circuit.declined('/bad.ts')
  clock.advance(1_000)
  assert.equal(circuit.enter('/bad.ts'), true)
  clock.advance(500)
  assert.equal(circuit.enter('/good.ts'), false)
  clock.advance(500)
  assert.equal(circuit.enter('/bad.ts'), false)
  assert.equal(circuit.enter('/good.ts'), true)
  // Nobody else was sent away since, or came back in time: then the same path is asked for again.
  clock.advance(1_000)
  assert.equal(circuit.enter('/good.ts'), true)
  assert.equal(circuit.enter('/bad.ts'), false)
  clock.advance(9_999)
  assert.equal(circuit.enter('/good.ts'), false)
  clock.advance(1)
  assert.equal(circuit.enter('/good.ts'), true)
})

test('open, it lets one request a second through, and no more when the last one still waits', () => {
  const clock = testClock()
  const circuit = new Circuit(clock.now)
  for (let failure = 0; failure < 5; failure++) circuit.failed('CONNECTION_REFUSED')
  let entered = 0
  for (let ms = 0; ms < 10_000; ms += 10) {
    if (circuit.enter('/a.ts')) entered++
    clock.advance(10)
  }
  assert.equal(entered, 9)
})

test('a clock that is set back keeps nobody out', () => {
  const clock = testClock()
  const circuit = new Circuit(clock.now)
  for (let failure = 0; failure < 5; failure++) circuit.failed('CONNECTION_REFUSED')
  clock.advance(-3_600_000)
  assert.equal(circuit.enter('/a.ts'), true)
})

async function ask(relais: TestRelais, path: string) {
  const { status, headers, body } = await get(relais.url + path)
  return {
    status,
    headers,
    error: status >= 500 ? JSON.parse(String(body)).error : undefined,
    body: String(body),
  }
}

async function openWith(t: TestContext, origins: readonly string[], upstream = {}): Promise<TestRelais> {
  return openTestRelais(t, { origins, file: { upstream: { ...IMPATIENT, ...upstream } } })
}

test('a dead origin fails five viewers; then one a second asks it, and all others are told at once', async (t) => {
  const origin = await openOrigin(t, (_request, response) => response.socket?.destroy())
  const relais = await openWith(t, [origin.url])
  for (let viewer = 0; viewer < 5; viewer++) {
    assert.equal((await ask(relais, `/seg${viewer}.ts`)).error, 'CONNECTION_TERMINATED')
  }
  // Each was asked for twice, for the first connection might have been an old one.
  assert.equal(origin.count(), 10)
  for (let viewer = 5; viewer < 25; viewer++) {
    const { status, error, headers } = await ask(relais, `/seg${viewer}.ts`)
    assert.equal(status, 503)
    assert.equal(error, 'DESTINATION_UNAVAILABLE')
    assert.equal(headers['retry-after'], '1')
    assert.match(
      String(headers['proxy-status']),
      /error=destination_unavailable;next-hop="127\.0\.0\.1:\d+";details=/,
    )
  }
  assert.equal(origin.count(), 10)
  relais.clock.advance(1_000)
  assert.equal((await ask(relais, '/probe1.ts')).error, 'CONNECTION_TERMINATED')
  assert.equal((await ask(relais, '/late1.ts')).error, 'DESTINATION_UNAVAILABLE')
  const { routes } = await settled(relais)
  assert.equal(routes[0]?.origins[0]?.circuit, 'open')
  assert.equal(routes[0]?.origins[0]?.refused, 21)
  origin.answer((_request, response) => reply(response, 'alive'))
  relais.clock.advance(1_000)
  assert.equal((await ask(relais, '/probe2.ts')).body, 'alive')
  assert.equal((await ask(relais, '/late2.ts')).body, 'alive')
  assert.equal((await settled(relais)).routes[0]?.origins[0]?.circuit, 'closed')
})

test('a hanging origin takes the patience of two viewers, not of all', async (t) => {
  const origin = await openOrigin(t, () => undefined)
  const relais = await openWith(t, [origin.url])
  for (let viewer = 0; viewer < 2; viewer++) {
    assert.equal((await ask(relais, `/seg${viewer}.ts`)).error, 'RESPONSE_TIMEOUT')
  }
  for (let viewer = 2; viewer < 50; viewer++) {
    assert.equal((await ask(relais, `/seg${viewer}.ts`)).error, 'DESTINATION_UNAVAILABLE')
  }
  assert.equal(origin.count(), 2)
})

test('who waited in the queue of an origin while its circuit opened does not ask it', async (t) => {
  const origin = await openOrigin(t, () => undefined)
  const relais = await openWith(t, [origin.url], { connections: 1 })
  const answers = ['/a.ts', '/b.ts', '/c.ts', '/d.ts'].map((path) => ask(relais, path))
  assert.deepEqual(
    (await Promise.all(answers)).map(({ error }) => error),
    ['RESPONSE_TIMEOUT', 'RESPONSE_TIMEOUT', 'DESTINATION_UNAVAILABLE', 'DESTINATION_UNAVAILABLE'],
  )
  assert.equal(origin.count(), 2)
})

test('viewers who give up on a hanging origin before Relais does open the circuit as well', async (t) => {
  const origin = await openOrigin(t, () => undefined)
  const relais = await openWith(t, [origin.url], { headTimeout: '15s' })
  const leave = async (nth: number, waitedMs: number): Promise<void> => {
    const viewer = openViewer(`${relais.url}/seg${nth}.ts`)
    await origin.reached(nth)
    relais.clock.advance(waitedMs)
    viewer.leave()
    await viewer.answer.catch(() => undefined)
    await settled(relais)
  }
  // Who leaves early has reasons of his own.
  for (let nth = 1; nth <= 5; nth++) await leave(nth, 7_000)
  assert.equal((await relais.stats()).routes[0]?.origins[0]?.circuit, 'closed')
  await leave(6, 10_000)
  await leave(7, 10_000)
  assert.equal((await ask(relais, '/seg8.ts')).error, 'DESTINATION_UNAVAILABLE')
  assert.equal((await relais.stats()).origin.errors, 0)
})

test('fifty viewers of one thing of an origin that hangs make one request and share its failure', async (t) => {
  const origin = await openOrigin(t, () => undefined)
  const relais = await openWith(t, [origin.url])
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(relais, '/seg1.ts')))
  for (const { error } of answers) assert.equal(error, 'RESPONSE_TIMEOUT')
  assert.equal(origin.count(), 1)
  assert.equal((await settled(relais)).origin.requests, 1)
})

test('fifty viewers of one thing of an origin that refuses at once ask it five times at most', async (t) => {
  const relais = await openWith(t, [REFUSING])
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(relais, '/seg1.ts')))
  // Who comes after a refusal asks anew, until the circuit opens.
  assert.ok((await settled(relais)).origin.requests <= 5)
  for (const { error } of answers) {
    assert.ok(error === 'CONNECTION_REFUSED' || error === 'DESTINATION_UNAVAILABLE', error)
  }
})

test('where the last answer was a 503, the viewer learns that and when to come back', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'maintenance', { 'retry-after': '30' }, 503),
  )
  const relais = await openWith(t, [origin.url])
  for (let viewer = 0; viewer < 5; viewer++) {
    const { status, body } = await get(`${relais.url}/seg${viewer}.ts`)
    assert.equal(status, 503)
    assert.equal(String(body), 'maintenance')
  }
  const { status, error, headers } = await ask(relais, '/seg9.ts')
  assert.equal(status, 503)
  assert.equal(error, 'DESTINATION_UNAVAILABLE')
  assert.match(String(headers['proxy-status']), /received-status=503/)
  assert.equal(headers['retry-after'], '30')
  assert.equal(origin.count(), 5)
})

test('while the circuit is open something stale stands in, without a wait', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'segment', { 'cache-control': 'max-age=1, stale-if-error=600' }),
  )
  const relais = await openWith(t, [origin.url])
  await get(`${relais.url}/seg1.ts`)
  relais.clock.advance(2_000)
  origin.answer(() => undefined)
  for (let viewer = 0; viewer < 2; viewer++) await get(`${relais.url}/other${viewer}.ts`)
  const asked = origin.count()
  const answer = await get(`${relais.url}/seg1.ts`)
  assert.equal(String(answer.body), 'segment')
  assert.match(String(answer.headers['cache-status']), /stale-if-error/)
  assert.equal(origin.count(), asked)
})

test('a body that breaks off does not open the circuit', async (t) => {
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('first', () => response.socket?.destroy())
  })
  const relais = await openWith(t, [origin.url])
  for (let viewer = 0; viewer < 20; viewer++)
    await get(`${relais.url}/seg${viewer}.ts`).catch(() => undefined)
  assert.equal((await settled(relais)).routes[0]?.origins[0]?.circuit, 'closed')
  assert.equal(origin.count(), 20)
})

test('with another origin nobody waits for the dead one but its probe, once a penalty', async (t) => {
  const first = await openOrigin(t, () => undefined)
  const second = await openOrigin(t, (_request, response) => reply(response, 'second'))
  const relais = await openWith(t, [first.url, second.url])
  // Its penalty over, it is first again: the second silence opens its circuit.
  for (const path of ['/seg1.ts', '/seg2.ts']) {
    assert.equal((await ask(relais, path)).body, 'second')
    relais.clock.advance(10_000)
  }
  assert.equal(first.count(), 2)
  const probe = ask(relais, '/probe.ts')
  await first.reached(3)
  // Another probe would be due, but its second is somebody's who need not wait for it.
  relais.clock.advance(1_000)
  const answers = Array.from({ length: 20 }, (_, viewer) => ask(relais, `/many${viewer}.ts`))
  for (const { body } of await Promise.all(answers)) assert.equal(body, 'second')
  assert.equal((await probe).body, 'second')
  assert.equal(first.count(), 3)
})
