/** Siblings that see different rosters: nobody waits for ever. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { rank, wordsOf } from '../../src/siblings/rendezvous.ts'
import { memberOf } from '../../src/siblings/roster.ts'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openSiblings, type TestSibling } from '../support/relais-siblings.ts'

const KEPT = { 'cache-control': 'max-age=600', etag: '"one"' }

/** The first still believes that the second wants nearly all keys, and that one no longer does: half of them are disputed. */
async function disagreeing(
  t: TestContext,
  origin: string,
): Promise<{ one: TestSibling; other: TestSibling; disputed: (count: number) => readonly string[] }> {
  const weightOf = (index: number): { cluster: { weight: number } } => ({
    cluster: { weight: index === 0 ? 1 : 100 },
  })
  const { nodes, instead } = await openSiblings(t, 2, { origins: [origin], more: weightOf })
  const [one, heavy] = nodes
  assert.ok(one && heavy)
  const other = await instead(heavy, { weight: 1 })
  const views = [100, 1].map((weight) => [
    memberOf({ id: one.id, url: '', weight: 1 }),
    memberOf({ id: other.id, url: '', weight }),
  ])
  const disputed = (count: number): readonly string[] => {
    const targets: string[] = []
    for (let index = 0; targets.length < count; index++) {
      const target = `/segment-${index}.ts`
      const owners = views.map((members) => rank(members, wordsOf(origin + target))[0]?.id)
      if (owners[0] === other.id && owners[1] === one.id) targets.push(target)
    }
    return targets
  }
  return { one, other, disputed }
}

test('two nodes that take each other for the owner both answer, for two requests to the origin', async (t) => {
  const arrived = barrier()
  const origin = await openOrigin(t, async (_, response) => {
    await arrived.opened
    reply(response, 'a body', KEPT)
  })
  const { one, other, disputed } = await disagreeing(t, origin.url)
  const [target = ''] = disputed(1)
  const answers = [get(one.url + target), get(other.url + target)]
  await origin.reached(2)
  arrived.open()
  for (const answer of await Promise.all(answers)) assert.equal(answer.body.toString(), 'a body')
  assert.equal(origin.count(), 2)
  for (const node of [one, other]) {
    const { siblings, peers } = await node.stats()
    assert.equal(siblings[0]?.failed, 0)
    assert.ok((siblings[0]?.asked ?? 0) >= 1, 'it asked the other')
    assert.equal(peers?.outOfStep, siblings[0]?.asked, 'and saw that their rosters differ')
  }
})

test('who comes as a sibling does not join what waits for a sibling', async (t) => {
  const held = barrier()
  const origin = await openOrigin(t, async (_, response) => {
    await held.opened
    reply(response, 'a body', KEPT)
  })
  const { one, other, disputed } = await disagreeing(t, origin.url)
  const [target = ''] = disputed(1)
  // 1. A viewer's request at one waits for other, which waits for the origin.
  const first = get(one.url + target)
  await origin.reached(1)
  // 2. A viewer's request at other walks along with what one asked for: it waits for the origin alone.
  const second = get(other.url + target)
  await until(async () => (await other.stats()).waiting === 2, 'the second walks with the first')
  held.open()
  for (const answer of await Promise.all([first, second])) assert.equal(answer.body.toString(), 'a body')
  assert.equal(origin.count(), 1)
})

test('both sides of many keys at once: nobody waits, and the origin is asked at most twice for each', async (t) => {
  const origin = await openOrigin(t, (request, response) => reply(response, `body of ${request.url}`, KEPT))
  const { one, other, disputed } = await disagreeing(t, origin.url)
  const targets = disputed(50)
  const all = [one, other].flatMap((node) =>
    targets.map(async (target) => ({ target, answer: await get(node.url + target) })),
  )
  for (const { target, answer } of await Promise.all(all))
    assert.equal(answer.body.toString(), `body of ${target}`)
  for (const target of targets) assert.ok(origin.count(target) <= 2, `${target}: ${origin.count(target)}`)
})
