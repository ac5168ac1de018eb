/** A cluster that begins as a whole has no former owners to ask; a node that joins one that runs has. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type TestClock, testClock } from '../support/clock.ts'
import { hasNats, openNats } from '../support/nats.ts'
import { activeOf, beatUntil, natsNode } from '../support/nats-siblings.ts'
import { openTestNodes, type TestNode } from '../support/siblings.ts'

const COUNT = 4
/** Who runs for so long was there before whoever begins now. */
const RUNNING_MS = 15_000

interface Stage {
  readonly four: readonly TestNode[]
  /** One that nobody has heard of yet. */
  fifth(): Promise<TestNode>
}

type Open = (t: TestContext, clock: TestClock) => Promise<Stage>

const CARRIERS: readonly (readonly [string, string | false, Open])[] = [
  [
    'HTTP',
    false,
    async (t, clock) => {
      const nodes = await openTestNodes(t, COUNT + 1, { clock })
      const last = nodes[COUNT]
      assert.ok(last !== undefined)
      last.cut(true)
      const fifth = async (): Promise<TestNode> => {
        last.cut(false)
        return last
      }
      return { four: nodes.slice(0, COUNT), fifth }
    },
  ],
  [
    'NATS',
    hasNats() ? false : 'nats-server is not installed: apt-get install nats-server',
    async (t, clock) => {
      const nats = await openNats(t)
      const open = (nth: number) => natsNode(t, nats, `node-${nth}`, { clock })
      return { four: await Promise.all([1, 2, 3, 4].map(open)), fifth: () => open(5) }
    },
  ],
]

async function meet(nodes: readonly TestNode[]): Promise<void> {
  await beatUntil(nodes, () => nodes.every((node) => activeOf(node) === nodes.length), 'all hear each other')
}

/** By the name of the node, who of the members it takes for new. */
function newTo(nodes: readonly TestNode[]): Readonly<Record<string, readonly string[]>> {
  const isNew = ({ joinedAt }: { joinedAt: number }): boolean => joinedAt > Number.NEGATIVE_INFINITY
  return Object.fromEntries(
    nodes.map(({ id, cluster }) => [
      id,
      cluster.roster
        .members()
        .filter(isNew)
        .map((member) => member.id),
    ]),
  )
}

const NOBODY = { 'node-1': [], 'node-2': [], 'node-3': [], 'node-4': [] }

for (const [carrier, skip, open] of CARRIERS) {
  for (const [how, apartMs] of [
    ['at once', 0],
    ['within two seconds', 500],
  ] as const) {
    test(`of four nodes that begin ${how} over ${carrier} none is new, to itself or to another`, {
      skip,
    }, async (t) => {
      const clock = testClock()
      const { four } = await open(t, clock)
      if (apartMs === 0) await Promise.all(four.map((node) => node.begin()))
      else
        for (const node of four) {
          await node.begin()
          clock.advance(apartMs)
        }
      await meet(four)
      assert.deepEqual(newTo(four), NOBODY)
    })
  }

  test(`a node that joins four that began just now, but of which one was asked, is new to itself over ${carrier}`, {
    skip,
  }, async (t) => {
    const clock = testClock()
    const { four, fifth } = await open(t, clock)
    for (const node of four) await node.begin()
    await meet(four)
    const [first] = four
    assert.ok(first !== undefined)
    first.counters.misses = 1
    await meet(four)
    const late = await fifth()
    await late.begin()
    assert.deepEqual(newTo([late]), { 'node-5': ['node-5'] })
  })

  test(`a node that joins four that run is new to itself over ${carrier}`, { skip }, async (t) => {
    const clock = testClock()
    const { four, fifth } = await open(t, clock)
    for (const node of four) await node.begin()
    await meet(four)
    clock.advance(RUNNING_MS)
    await meet(four)
    const late = await fifth()
    await late.begin()
    assert.deepEqual(newTo([late]), { 'node-5': ['node-5'] })
  })
}
