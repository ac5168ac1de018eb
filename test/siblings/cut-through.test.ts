/** What a sibling has for one viewer is handed on as it comes; each law that holds for fills holds for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { reply } from '../support/origin.ts'
import { KEPT, pair } from '../support/passing-pair.ts'
import type { TestSibling } from '../support/relais-siblings.ts'
import { openViewer } from '../support/viewer.ts'
import { openWire } from '../support/wire.ts'

/** What each request came to, and the bytes that the log says were handed over. */
function told(node: TestSibling): readonly Record<string, unknown>[] {
  return node.log.filter(({ msg, peer }) => msg === 'request' && peer === undefined)
}

async function quiet(node: TestSibling): Promise<void> {
  await until(async () => {
    const { fills, waiting, viewers } = await node.stats()
    return fills === 0 && waiting === 0 && viewers === 0
  }, `${node.id} is quiet`)
}

async function addsUp(node: TestSibling, requests: number): Promise<void> {
  await quiet(node)
  const { requests: counted, bytes, routes } = await node.stats()
  const lines = told(node)
  assert.equal(lines.length, requests, 'one line a request')
  assert.equal(counted.total, requests, 'one outcome a request')
  const logged = lines.reduce((sum, line) => sum + Number(line['bytes']), 0)
  assert.equal(bytes.toViewers, logged, 'the bytes of /stats are those of the log')
  assert.equal(routes[0]?.bytesToViewers, logged)
}

test('what passes is counted and logged once', async (t) => {
  const { asker, owner, target } = await pair(t)
  const wanted = target()
  await get(owner.url + wanted)
  const answer = await get(asker.url + wanted)
  assert.equal(answer.body.toString(), 'a body')
  await addsUp(asker, 1)
  assert.equal((await asker.stats()).requests.miss, 1)
  assert.equal((await asker.stats()).bytes.toViewers, 6)
})

test('what is handed over is counted and logged once', async (t) => {
  const late = barrier()
  const { origin, asker, target } = await pair(t, async (_, response) => {
    await late.opened
    reply(response, 'a body', KEPT)
  })
  const answer = get(asker.url + target())
  await origin.reached(1)
  // Longer than is usual of a sibling that nothing is known of.
  const begun = performance.now()
  await until(() => performance.now() - begun > 150, 'it is late')
  late.open()
  assert.equal((await answer).body.toString(), 'a body')
  await addsUp(asker, 1)
  assert.equal((await asker.stats()).bytes.toViewers, 6)
})

test('a viewer who leaves before the head is counted and logged as well', async (t) => {
  const late = barrier()
  const { origin, asker, target } = await pair(t, async (_, response) => {
    await late.opened
    reply(response, 'a body', KEPT)
  })
  const viewer = openViewer(asker.url + target())
  viewer.answer.catch(() => undefined)
  viewer.head.catch(() => undefined)
  await origin.reached(1)
  viewer.leave()
  await until(() => told(asker).length > 0, 'it is logged')
  late.open()
  await addsUp(asker, 1)
})

test('a request behind it that ends the connection takes nothing from the one that waits', async (t) => {
  const late = barrier()
  const { origin, asker, target } = await pair(t, async (_, response) => {
    await late.opened
    reply(response, 'a body', KEPT)
  })
  const wire = await openWire(t, asker.url, `GET ${target()} HTTP/1.1\r\nhost: a\r\n\r\n`)
  await origin.reached(1)
  wire.write('GET /b.ts HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n')
  const begun = performance.now()
  await until(() => performance.now() - begun > 150, 'it is late')
  late.open()
  const all = await wire.closed
  assert.match(all, /^HTTP\/1.1 200 OK.*a bodyHTTP\/1.1 400/s)
})

test('a viewer is not let go because the sibling falls silent in the middle', async (t) => {
  const [half, rest] = [barrier(), barrier()]
  const { asker, target } = await pair(
    t,
    async (_, response) => {
      response.writeHead(200, { ...KEPT, 'content-length': '6' })
      response.write('a b')
      half.open()
      await rest.opened
      response.end('ody')
    },
    { more: (index) => (index === 0 ? { http: { stallTimeout: 60, drainTimeout: '1s' } } : {}) },
  )
  const viewer = openViewer(asker.url + target())
  await viewer.reached(3)
  const begun = performance.now()
  await until(() => performance.now() - begun > 200, 'nothing has moved for longer than the stall timeout')
  rest.open()
  const { body, isWhole } = await viewer.answer
  assert.equal(body.toString(), 'a body')
  assert.ok(isWhole)
})
