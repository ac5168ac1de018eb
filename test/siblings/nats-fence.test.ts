/** A purge that comes over NATS covers what is on its way: nothing that set out before it is born again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rank, wordsOf } from '../../src/siblings/rendezvous.ts'
import { memberOf } from '../../src/siblings/roster.ts'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { freePort } from '../support/free-port.ts'
import { hasNats, openNats } from '../support/nats.ts'
import { purge } from '../support/operator.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

const skip = hasNats() ? false : 'nats-server is not installed: apt-get install nats-server'

test('a fill that was under way when a purge came over NATS is shown to who waits, and not kept', {
  skip,
}, async (t) => {
  const nats = await openNats(t)
  const held = barrier()
  let edition = 1
  const origin = await openOrigin(t, async (_, response) => {
    const made = edition++
    if (made === 1) await held.opened
    reply(response, `edition ${made}`, { 'cache-control': 'max-age=3600', etag: '"same"' })
  })
  const beats: (() => void)[] = []
  const open = async (node: string) => {
    const port = await freePort()
    const relais = await openTestRelais(t, {
      origins: [origin.url],
      utilization: () => 0,
      pulse: (work) => {
        beats.push(work)
        return () => undefined
      },
      file: {
        node,
        cluster: {
          secret: 'a secret that is long enough for siblings',
          listen: { host: '127.0.0.1', port },
          url: `http://127.0.0.1:${port}`,
          nats: { servers: [nats.url] },
        },
      },
    })
    nats.serves(relais)
    return relais
  }
  const [filling, purging] = [await open('node-1'), await open('node-2')]
  await until(async () => {
    for (const beat of beats) beat()
    const stats = await Promise.all([filling, purging].map((node) => node.stats()))
    return stats.every(({ siblings }) => siblings.length === 1 && siblings[0]?.state === 'active')
  }, 'both have heard each other')
  const members = ['node-1', 'node-2'].map((id) => memberOf({ id, url: '' }))
  const isOwn = (target: string): boolean => rank(members, wordsOf(origin.url + target))[0]?.id === 'node-1'
  const target = Array.from({ length: 100 }, (_, index) => `/${index}.ts`).find(isOwn) ?? ''
  const waiting = get(filling.url + target)
  await until(() => origin.count() === 1, 'the fill is under way')
  assert.deepEqual((await purge(purging.url, { url: target, wait: 'all' }))['laggards'], [])
  assert.equal((await filling.stats()).purges.received, 1)
  held.open()
  assert.equal((await waiting).body.toString(), 'edition 1')
  for (const node of [filling, purging, filling])
    assert.equal((await get(node.url + target)).body.toString(), 'edition 2')
  assert.equal(origin.count(), 2)
})
