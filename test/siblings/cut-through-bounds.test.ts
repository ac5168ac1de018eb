/** What passes is bounded, however much of it sets out at once, and is left to nobody when its viewer has gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { reply } from '../support/origin.ts'
import { KEPT, pair } from '../support/passing-pair.ts'
import { openViewer } from '../support/viewer.ts'
import { openWire } from '../support/wire.ts'

const MIB = 1024 ** 2
const LARGE = Buffer.alloc(4 * MIB, 'some bytes of a body ')
/** What may wait in connections of viewers all together. */
const MOST = 64 * MIB
const VIEWERS = 24

test('of a burst no more than 64 MiB passes: what is beyond it is filled, and who wants it too walks along', async (t) => {
  const rest = barrier()
  const { asker, target } = await pair(t, async (_, response) => {
    response.writeHead(200, { ...KEPT, 'content-length': String(LARGE.byteLength) })
    response.write(LARGE.subarray(0, MIB))
    await rest.opened
    response.end(LARGE.subarray(MIB))
  })
  const targets = Array.from({ length: VIEWERS }, target)
  // All have set out before the first head is here.
  const first = targets.map((wanted) => openViewer(asker.url + wanted))
  await Promise.all(first.map((viewer) => viewer.reached(1)))
  const second = targets.map((wanted) => openViewer(asker.url + wanted))
  await Promise.all(second.map((viewer) => viewer.reached(1)))
  rest.open()
  for (const { answer } of [...first, ...second]) assert.ok((await answer).body.equals(LARGE))
  // Of what passes one more copy comes for the second viewer.
  const { miss, collapsed } = (await asker.stats()).requests
  assert.equal(miss + collapsed, 2 * VIEWERS)
  assert.ok(miss - VIEWERS <= MOST / LARGE.byteLength, `${miss - VIEWERS} bodies of 4 MiB passed`)
  assert.ok(miss > VIEWERS, 'else nothing passed at all')
})

for (const [when, turns] of [
  ['in the same moment', 0],
  ['a turn later', 1],
  ['when he waits for what it has become', 50],
] as const) {
  test(`who leaves when another viewer has had him handed over leaves that to nobody: ${when}`, async (t) => {
    const held = barrier()
    const { origin, asker, owner, target } = await pair(t, async (_, response) => {
      await held.opened
      reply(response, 'a body', KEPT)
    })
    for (let round = 1; round <= 10; round++) {
      const line = `GET ${target()} HTTP/1.1\r\nhost: a\r\n\r\n`
      const [first, second] = [await openWire(t, asker.url), await openWire(t, asker.url)]
      first.write(line)
      await origin.reached(round)
      second.write(line)
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      first.socket.destroy()
      second.socket.destroy()
      await until(async () => {
        const all = await Promise.all([asker, owner].map((node) => node.stats()))
        return all.every(({ fills, waiting, viewers }) => fills + waiting + viewers === 0)
      }, 'nothing is under way')
    }
    held.open()
    assert.equal((await asker.stats()).siblings[0]?.failed, 0, 'that viewers leave is no fault of a sibling')
  })
}
