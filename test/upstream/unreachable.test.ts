/** Origins that cannot be reached at all: no name, no answer to the knock. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const LISTENER = `
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () =>
    console.log(server.address().port))`

/** A process that listens but accepts nobody: stopped, its backlog full. */
async function openDeaf(t: TestContext): Promise<string> {
  const child = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const sockets: Socket[] = []
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    child.kill('SIGKILL')
  })
  const port = await new Promise<number>((resolve) =>
    child.stdout.once('data', (text) => resolve(Number(text))),
  )
  child.kill('SIGSTOP')
  // Connections are taken until the backlog is full; the one that is not taken shows that it is.
  for (;;) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    sockets.push(socket)
    const isTaken = await Promise.race([
      new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true))),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 300)),
    ])
    if (!isTaken) return `http://127.0.0.1:${port}`
    assert.ok(sockets.length < 64, 'the backlog has no end')
  }
}

test('an origin that does not accept connections is 504, or has the next one asked', async (t) => {
  const deaf = await openDeaf(t)
  const upstream = { connectTimeout: '300ms' }
  const alone = await openTestRelais(t, { origins: [deaf], file: { upstream } })
  const answer = await get(`${alone.url}/seg1.ts`)
  assert.equal(answer.status, 504)
  assert.equal(JSON.parse(String(answer.body)).error, 'CONNECTION_TIMEOUT')
  assert.match(String(answer.headers['proxy-status']), /connection_timeout/)
  await settled(alone)
  const second = await openOrigin(t, (_request, response) => reply(response, 'second'))
  const both = await openTestRelais(t, { origins: [deaf, second.url], file: { upstream } })
  assert.equal(String((await get(`${both.url}/seg1.ts`)).body), 'second')
})

test('an origin without a name is an error of DNS', async (t) => {
  const relais = await openTestRelais(t, { origins: ['http://relais-origin.invalid'] })
  const answer = await get(`${relais.url}/seg1.ts`)
  // Without any resolver it is a timeout, not a refusal; both are told as what they are.
  assert.match(JSON.parse(String(answer.body)).error, /^DNS_(ERROR|TIMEOUT)$/)
  assert.match(String(answer.headers['proxy-status']), /dns_(error|timeout)/)
  await settled(relais)
})

test('an origin that comes up is asked at once', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment'))
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const { port } = new URL(origin.url)
  await origin.close()
  assert.equal((await get(`${relais.url}/seg1.ts`)).status, 502)
  await new Promise<void>((resolve) => origin.server.listen(Number(port), '127.0.0.1', resolve))
  assert.equal(String((await get(`${relais.url}/seg1.ts`)).body), 'segment')
  await until(async () => (await relais.stats()).fills === 0, 'no fill is under way')
})
