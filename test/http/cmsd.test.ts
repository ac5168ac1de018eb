/** Players are told what only this hop knows (CMSD-Dynamic), and what the origin says of its media is kept. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type InnerList, type Item, parseList } from 'structured-headers'
import { barrier } from '../support/barrier.ts'
import { get, type Response } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const SAID = { 'cmsd-static': 'ot=v,d=4000', 'cmsd-dynamic': '"shield";etp=9000' }

async function open(t: TestContext, file: Record<string, unknown> = {}): Promise<TestRelais> {
  const origin = await openOrigin(t, (request, response) => {
    const lifetime = request.url === '/own.ts' ? 'private' : 'max-age=60'
    reply(response, 'segment', { 'cache-control': lifetime, ...SAID })
  })
  return openTestRelais(t, { origins: [origin.url], file })
}

function hops({ headers }: Response): readonly (Item | InnerList)[] {
  const field = headers['cmsd-dynamic']
  return field === undefined ? [] : parseList(String(field))
}

test('who waited for the origin is told for how long, and a hit says nothing', async (t) => {
  const relais = await open(t)
  const cold = await get(`${relais.url}/seg1.ts`)
  const [[name, parameters] = [undefined, new Map()], ...more] = hops(cold)
  assert.deepEqual([name, more], ['test', []])
  assert.deepEqual([...parameters.keys()], ['rd'])
  assert.ok(Number.isSafeInteger(parameters.get('rd')))
  assert.equal(cold.headers['cmsd-static'], SAID['cmsd-static'])
  const hit = await get(`${relais.url}/seg1.ts`)
  assert.equal(hit.headers['cmsd-dynamic'], undefined)
  assert.equal(hit.headers['cmsd-static'], SAID['cmsd-static'])
  const part = await get(`${relais.url}/seg1.ts`, { headers: { range: 'bytes=0-1' } })
  assert.equal(part.headers['cmsd-dynamic'], undefined)
})

test('behind the hops before it, in what is passed on for one viewer', async (t) => {
  const relais = await open(t)
  const names = hops(await get(`${relais.url}/own.ts`)).map(([name]) => name)
  assert.deepEqual(names, ['shield', 'test'])
})

test('a node that is asked to stop, or has nearly all the viewers it may have, is under duress', async (t) => {
  const full = await open(t, { http: { maxConnections: 1 } })
  const [hop] = hops(await get(`${full.url}/seg1.ts`))
  assert.equal(hop?.[1].get('du'), true)

  const held = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    await held.opened
    reply(response, 'segment', { 'cache-control': 'max-age=60' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { http: { drainTimeout: '10s' } } })
  const waiting = get(`${relais.url}/seg1.ts`)
  await origin.reached(1)
  const closing = relais.close()
  held.open()
  assert.equal(hops(await waiting)[0]?.[1].get('du'), true)
  await closing
})

test('where it is turned off no hop of ours is named', async (t) => {
  const relais = await open(t, { cmsd: false })
  assert.deepEqual(hops(await get(`${relais.url}/seg1.ts`)), [])
  assert.deepEqual(
    hops(await get(`${relais.url}/own.ts`)).map(([name]) => name),
    ['shield'],
  )
})
