/** Siblings by DNS, of a real server that answers nothing, fails, talks nonsense or is silent: who was known is known still, and all serve. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '../../support/barrier.ts'
import { get } from '../../support/client.ts'
import { acquainted, type ClusterNode, openCluster } from '../../support/cluster.ts'
import { type DnsAnswer, openDns, type TestDns } from '../../support/dns.ts'
import { freePort } from '../../support/free-port.ts'
import { openOrigin, reply, type TestOrigin } from '../../support/origin.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
const IDS = ['node-1', 'node-2', 'node-3']
/** Of each answer, until the next question. */
const QUESTIONS = 2

interface Scene {
  readonly nodes: readonly ClusterNode[]
  readonly dns: TestDns
  readonly origin: TestOrigin
  /** What DNS is to say when all is well, or of some of them. */
  records(count: number): DnsAnswer
}

async function open(t: TestContext, type: 'a' | 'srv', isThereAtStart: boolean): Promise<Scene> {
  const origin = await openOrigin(t, ({ url = '' }, response) =>
    reply(response, url, { 'cache-control': 'max-age=3600' }),
  )
  const dns = await openDns(t, 'silence')
  // Addresses have one port for all, and services have one each.
  const port = await freePort()
  const places = new Map<string, { host: string; port: number }>()
  for (const [index, id] of IDS.entries())
    places.set(
      id,
      type === 'a' ? { host: `127.0.0.${index + 1}`, port } : { host: '127.0.0.1', port: await freePort() },
    )
  const records = (count: number): DnsAnswer => {
    const some = [...places.values()].slice(0, count)
    return type === 'a'
      ? { a: some.map(({ host }) => host) }
      : { srv: some.map((place) => ({ name: 'localhost', port: place.port })) }
  }
  if (isThereAtStart) dns.answer(records(IDS.length))
  const nodes = await openCluster(t, {
    nodes: IDS.length,
    running: 0,
    origins: [origin.url],
    canBeCutOff: false,
    differing: (id) => ({
      nameServer: dns.address,
      cluster: {
        siblings: undefined,
        dns: { name: 'relais.example', type, port, every: '1s' },
        listen: places.get(id),
      },
    }),
  })
  await Promise.all(nodes.map((node) => node.start()))
  return { nodes, dns, origin, records }
}

/** New ones at all nodes: each answers, and the origin is asked `most` times for each at most. */
async function serve({ nodes, origin }: Scene, round: string, most: number): Promise<void> {
  const before = origin.count()
  const names = Array.from({ length: 20 }, (_, index) => `/${round}/${index}.ts`)
  for (const { url } of nodes)
    for (const name of names) assert.equal((await get(url + name)).body.toString(), name)
  assert.ok(origin.count() - before <= most * names.length, `${round}: ${origin.count() - before} requests`)
}

function comings(nodes: readonly ClusterNode[]): number {
  return nodes.flatMap((node) => node.log()).filter(({ sibling }) => sibling !== undefined).length
}

for (const type of ['a', 'srv'] as const) {
  test(
    `whatever becomes of DNS, siblings who have found each other there stay siblings (${type})`,
    PATIENCE,
    async (t) => {
      const scene = await open(t, type, true)
      const { nodes, dns, records } = scene
      await acquainted(nodes)
      await serve(scene, 'begun', 1)
      const before = comings(nodes)
      let turn = 0
      const troubles: Readonly<Record<string, DnsAnswer | (() => DnsAnswer)>> = {
        empty: records(0),
        failing: 'servfail',
        nameless: 'nxdomain',
        garbage: 'garbage',
        silent: 'silence',
        flapping: () => records(turn++ % (IDS.length + 1)),
      }
      for (const [what, answer] of Object.entries(troubles)) {
        dns.answer(answer)
        const asked = dns.asked
        await until(() => dns.asked >= asked + QUESTIONS * IDS.length, `DNS is ${what}`, 60_000)
        await serve(scene, what, 1.2)
      }
      assert.equal(comings(nodes), before, 'nobody was taken for gone')
      const said = nodes.map((node) =>
        node.log().filter(({ msg }) => /^DNS has no siblings under relais.example/.test(String(msg))),
      )
      for (const lines of said) assert.equal(lines.length, 1)
    },
  )
}

test(
  'where DNS is silent at the start nodes serve all the same, and find each other when it speaks',
  PATIENCE,
  async (t) => {
    const scene = await open(t, 'a', false)
    const { nodes, dns, records } = scene
    await serve(scene, 'alone', IDS.length)
    dns.answer(records(IDS.length))
    await acquainted(nodes)
    await serve(scene, 'together', 1.2)
  },
)
