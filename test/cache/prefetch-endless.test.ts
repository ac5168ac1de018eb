/** What is fetched ahead and has no end in sight does not come for ever, whoever named it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { MIB } from '../support/film.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

/** A viewer has named `endless.ts`, and its head has gone to Relais. */
async function open(
  t: TestContext,
  maxBytes: string,
): Promise<{ relais: TestRelais; endless: ServerResponse }> {
  const begun = Promise.withResolvers<ServerResponse>()
  const origin = await openOrigin(t, (request, response) => {
    if (!request.url?.includes('endless')) return reply(response, 'segment')
    response.writeHead(200, { 'cache-control': 'max-age=600' })
    return begun.resolve(response)
  })
  const file = { prefetch: { segments: 1 }, memory: { maxBytes }, upstream: { idleTimeout: '60s' } }
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  await get(`${relais.url}/a.ts?CMCD=${encodeURIComponent('nor="endless.ts"')}`)
  return { relais, endless: await begun.promise }
}

test('what is too long to be kept is not fetched on for nobody', async (t) => {
  const { relais, endless } = await open(t, '16MB')
  const isCut = once(endless, 'close')
  let sent = 0
  const send = (): void => {
    // Far less than a gigabyte has to come before it shows that memory holds none of it.
    while (sent < 1024 * MIB) {
      sent += MIB
      relais.clock.advance(100)
      if (!endless.write(Buffer.alloc(MIB))) return
    }
    endless.end()
  }
  endless.on('drain', send)
  send()
  await isCut
  assert.ok(!endless.writableFinished, 'it was given up')
  await until(async () => (await relais.stats()).fills === 0, 'nothing is under way')
  const { sent: begun, wasted } = (await relais.stats()).prefetch
  assert.deepEqual([begun, wasted], [1, 1])
})

test('what trickles on for more than a minute is given up as if nobody had named it', async (t) => {
  const { relais, endless } = await open(t, '64MB')
  const before = (await relais.stats()).bytes.fromOrigin
  for (let piece = 1; piece <= 2; piece++) {
    endless.write(Buffer.alloc(1000))
    await until(
      async () => (await relais.stats()).bytes.fromOrigin >= before + piece * 1000,
      `piece ${piece} has come`,
    )
    relais.clock.advance(31_000)
  }
  assert.equal((await relais.stats()).fills, 1, 'half a minute is none')
  endless.write(Buffer.alloc(1000))
  await until(async () => (await relais.stats()).fills === 0, 'nothing is under way')
})
