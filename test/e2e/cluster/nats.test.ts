/** Processes that find each other on NATS end as they should, whatever becomes of its server meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../support/barrier.ts'
import { get } from '../../support/client.ts'
import { openCluster } from '../../support/cluster.ts'
import { freePort } from '../../support/free-port.ts'
import { hasNats, openNats, type TestNats } from '../../support/nats.ts'
import { openOrigin, reply } from '../../support/origin.ts'

const skip = hasNats() ? false : 'nats-server is not installed: apt-get install nats-server'
/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000, skip }

for (const [what, befalls] of [
  ['runs', () => undefined],
  ['was killed before', (nats: TestNats) => nats.stop()],
  ['is killed in the same moment', (nats: TestNats) => void nats.stop()],
  ['hangs', (nats: TestNats) => nats.hang(true)],
  [
    'has lost all it had',
    async (nats: TestNats) => {
      await nats.stop()
      nats.wipe()
      await nats.start()
    },
  ],
] as const) {
  test(
    `nodes that are told to stop end with nothing to complain of where the server of NATS ${what}`,
    PATIENCE,
    async (t) => {
      const nats = await openNats(t)
      const origin = await openOrigin(t, ({ url = '' }, response) =>
        reply(response, url, { 'cache-control': 'max-age=3600' }),
      )
      const ports = new Map([
        ['node-1', await freePort()],
        ['node-2', await freePort()],
      ])
      const nodes = await openCluster(t, {
        nodes: 2,
        origins: [origin.url],
        canBeCutOff: false,
        differing: (id) => ({
          cluster: {
            siblings: undefined,
            listen: { host: '127.0.0.1', port: ports.get(id) },
            url: `http://127.0.0.1:${ports.get(id)}`,
            nats: { servers: [nats.url] },
          },
        }),
      })
      for (const { url } of nodes) assert.equal((await get(`${url}/a.ts`)).body.toString(), '/a.ts')
      const order = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"url":"/a.ts"}',
      }
      const [first] = nodes
      assert.equal((await get(`${first?.url}/-/purge`, order)).status, 200)
      await befalls(nats)
      const codes = await Promise.all(nodes.map((node) => node.kill('SIGTERM')))
      assert.deepEqual(codes, [0, 0])
      for (const node of nodes) {
        await until(() => node.log().some(({ msg }) => msg === 'stopping'), 'it said that it stops')
        assert.deepEqual(
          node.log().filter(({ level }) => Number(level) >= 50),
          [],
        )
      }
    },
  )
}
