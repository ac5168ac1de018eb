/** Siblings by DNS: those who are in the answers are asked, and no answer is no reason to forget anybody. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DnsWhereabouts, expectedOf, type Records, selfOf } from '../../src/siblings/whereabouts.ts'
import { testClock } from '../support/clock.ts'
import { CLUSTER, openTestNode, statesOf } from '../support/siblings.ts'

const OPTIONS = { name: 'relais.example', type: 'a', port: 8090, every: 10_000 } as const

/** Answers what it is told to; an Error is how it fails. */
function records() {
  const answers: { v4: readonly string[] | Error; v6: readonly string[] | Error; asked: number } = {
    v4: [],
    v6: new Error('queryAaaa ENODATA'),
    asked: 0,
  }
  const told = (answer: readonly string[] | Error): readonly string[] => {
    if (answer instanceof Error) throw answer
    return answer
  }
  const all: Records = {
    resolve4: async () => {
      answers.asked++
      return told(answers.v4)
    },
    resolve6: async () => told(answers.v6),
    resolveSrv: async () => told(answers.v4).map((name) => ({ name, port: 9_000 + name.length })),
  }
  return { answers, all }
}

function open(type: 'a' | 'srv' = 'a') {
  const clock = testClock()
  const { answers, all } = records()
  const troubles: string[] = []
  const dns = new DnsWhereabouts(
    { ...OPTIONS, type },
    { records: all, clock: clock.now, onTrouble: (what) => troubles.push(what) },
  )
  const next = async (v4: readonly string[] | Error): Promise<readonly string[]> => {
    answers.v4 = v4
    clock.advance(10_000)
    await dns.refresh()
    return dns.list.map(({ url }) => url)
  }
  return { clock, answers, troubles, dns, next }
}

test('addresses of both families are siblings on the configured port', async () => {
  const { answers, next } = open()
  answers.v6 = ['fd00::7']
  assert.deepEqual(await next(['10.0.0.1', '10.0.0.2']), [
    'http://10.0.0.1:8090',
    'http://10.0.0.2:8090',
    'http://[fd00::7]:8090',
  ])
})

test('services have ports of their own', async () => {
  const { next } = open('srv')
  assert.deepEqual(await next(['a.example', 'bb.example']), [
    'http://a.example:9009',
    'http://bb.example:9010',
  ])
})

test('no answer, or an empty one, leaves those who were known', async () => {
  const { next, troubles } = open()
  const known = await next(['10.0.0.1', '10.0.0.2'])
  for (let round = 0; round < 10; round++) {
    assert.deepEqual(await next(new Error('queryA ESERVFAIL')), known)
    assert.deepEqual(await next([]), known)
  }
  assert.equal(troubles.length, 20)
})

test('the first answer after a long time without one, which may be half of the truth, has nobody forgotten', async () => {
  const { next } = open()
  await next(['10.0.0.1', '10.0.0.2'])
  for (let round = 0; round < 10; round++) await next(new Error('queryA ESERVFAIL'))
  const [one, two, three] = [1, 2, 3].map((host) => `http://10.0.0.${host}:8090`)
  assert.deepEqual(await next(['10.0.0.1', '10.0.0.3']), [one, two, three])
  assert.deepEqual(await next(['10.0.0.1', '10.0.0.3']), [one, two, three])
  assert.deepEqual(await next(['10.0.0.1', '10.0.0.3']), [one, three])
})

test('an address that is missing for less than fifteen seconds is still asked', async () => {
  const { next } = open()
  await next(['10.0.0.1', '10.0.0.2'])
  assert.deepEqual(await next(['10.0.0.1']), ['http://10.0.0.1:8090', 'http://10.0.0.2:8090'])
  assert.deepEqual(await next(['10.0.0.1', '10.0.0.2']), ['http://10.0.0.1:8090', 'http://10.0.0.2:8090'])
  await next(['10.0.0.1'])
  await next(['10.0.0.1'])
  assert.deepEqual(await next(['10.0.0.1']), ['http://10.0.0.1:8090'])
})

test('DNS is asked as often as configured, however often the cluster beats', async () => {
  const { clock, answers, dns } = open()
  answers.v4 = ['10.0.0.1']
  for (let second = 0; second < 60; second++) {
    await dns.refresh()
    clock.advance(1_000)
  }
  assert.equal(answers.asked, 6)
})

test('siblings by DNS say who they are, and a node knows itself among them', async (t) => {
  const clock = testClock()
  const { answers, all } = records()
  const dns = { name: 'relais.example', type: 'srv', port: 8090, every: 1_000 } as const
  const context = { records: { ...all, resolveSrv: async () => places } }
  const nodes = await Promise.all(
    ['node-1', 'node-2'].map((id) => openTestNode(t, { id, clock, options: { dns }, context })),
  )
  const places = nodes.map(({ url }) => ({ name: '127.0.0.1', port: Number(new URL(url).port) }))
  assert.equal(answers.asked, 0)
  const [first, second] = nodes
  assert.ok(first && second)
  await first.begin()
  await second.begin()
  await first.beat()
  await second.beat()
  for (const node of nodes) {
    assert.deepEqual(statesOf(node), { 'node-1': 'active', 'node-2': 'active' })
    assert.deepEqual(node.warnings, [])
  }
  assert.equal(first.cluster.roster.digest(), second.cluster.roster.digest())
})

const LISTED = {
  ...CLUSTER,
  siblings: [
    {
      id: 'paris-1',
      url: 'http://10.0.0.1:8090/',
      zone: 'paris',
      weight: 3,
      publicUrl: 'http://one.example',
    },
    { id: 'paris-2', url: 'http://10.0.0.2:8090/', zone: null, weight: 2, publicUrl: null },
  ],
}

test('a node is what its own entry in the list says, unless it says otherwise itself', () => {
  assert.deepEqual(selfOf('paris-1', LISTED, 8090), {
    id: 'paris-1',
    url: 'http://10.0.0.1:8090',
    publicUrl: 'http://one.example',
    zone: 'paris',
    weight: 3,
  })
  const said = { url: 'http://10.1.1.1:1', publicUrl: 'http://mine.example', zone: 'lyon', weight: 7 }
  assert.deepEqual(selfOf('paris-1', { ...LISTED, ...said }, 8090), { id: 'paris-1', ...said })
})

test('a node that is in no list is where it listens', () => {
  const { url, zone, weight } = selfOf('paris-9', { ...CLUSTER, listen: { host: 'fd00::1', port: 0 } }, 4711)
  assert.deepEqual([url, zone, weight], ['http://[fd00::1]:4711', 'default', 1])
})

test('the siblings are those of the list but this node, in its zone where they name none', () => {
  assert.deepEqual(expectedOf('paris-1', LISTED), [
    { id: 'paris-2', url: 'http://10.0.0.2:8090', publicUrl: undefined, zone: 'paris', weight: 2 },
  ])
})
