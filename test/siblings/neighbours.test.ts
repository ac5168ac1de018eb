/** Who is asked for a key when, by fakes of everything but the clock: hedges, former owners, the zone above. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openSiblings } from '../support/relais-siblings.ts'

const KEPT = { 'cache-control': 'max-age=600', etag: '"one"' }

test('what the owner is slow to answer is asked of its runner-up, which has it, and never of the origin twice', async (t) => {
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const { nodes, ranked, ownedBy } = await openSiblings(t, 3, { origins: [origin.url] })
  const [owner] = nodes
  assert.ok(owner)
  const target = ownedBy(owner, origin.url, '.ts')
  const [, second, third] = ranked(origin.url + target)
  assert.ok(second && third)
  // The runner-up has a copy, for its viewers asked twice.
  for (let count = 0; count < 2; count++) await get(second.url + target)
  owner.link.silence()
  const answer = await get(third.url + target)
  assert.equal(answer.body.toString(), 'a body')
  assert.match(String(answer.headers['via']), new RegExp(`1\\.1 ${second.id}, 1\\.1 ${third.id}`))
  const hedged = (await third.stats()).siblings.map(({ id, hedged: count }) => [id, count])
  assert.deepEqual(
    hedged,
    [...nodes].filter((node) => node !== third).map(({ id }) => [id, id === second.id ? 1 : 0]),
  )
  assert.equal(origin.count(), 1)
})

test('a second sibling is asked beside the first within a budget', async (t) => {
  const late = barrier()
  const origin = await openOrigin(t, async (_, response) => {
    await late.opened
    reply(response, 'a body', KEPT)
  })
  const { nodes, ranked } = await openSiblings(t, 3, { origins: [origin.url] })
  const [owner] = nodes
  assert.ok(owner)
  const targets = Array.from({ length: 400 }, (_, index) => `/object-${index}.ts`)
    .filter(
      (target) => ranked(origin.url + target)[0] === owner && ranked(origin.url + target)[2] === nodes[2],
    )
    .slice(0, 40)
  const asker = nodes[2]
  assert.ok(asker)
  const answers = targets.map((target) => get(asker.url + target))
  await origin.reached(targets.length)
  await until(
    async () => (await asker.stats()).siblings.some(({ hedged }) => hedged > 0),
    'one was asked beside',
  )
  late.open()
  await Promise.all(answers)
  const hedged = (await asker.stats()).siblings.reduce((sum, sibling) => sum + sibling.hedged, 0)
  // One to begin with, and two of a hundred.
  assert.equal(hedged, 1)
  assert.equal(origin.count(), targets.length)
})

test('a new owner asks the previous one before the origin', async (t) => {
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const clock = testClock()
  const { nodes, ranked, instead } = await openSiblings(t, 2, { origins: [origin.url], clock })
  const [, away] = nodes
  assert.ok(away)
  const [staying] = nodes
  assert.ok(staying)
  const targets = Array.from({ length: 64 }, (_, index) => `/object-${index}.ts`)
  const theirs = targets.filter((target) => ranked(origin.url + target)[0] === away)
  // While it is away the other fills what is its own, and keeps it once it is gone.
  away.link.cut()
  for (let second = 0; second < 16; second++) {
    clock.advance(1_000)
    staying.beat()
  }
  await until(async () => (await staying.stats()).siblings[0]?.state === 'gone', 'it is gone')
  for (const target of theirs) await get(staying.url + target)
  assert.equal(origin.count(), theirs.length)
  const back = await instead(away, {})
  for (const target of theirs) assert.equal((await get(back.url + target)).body.toString(), 'a body')
  assert.equal(origin.count(), theirs.length, 'the origin was asked for nothing again')
})

test('a zone fills from the zone above it, and that one from the origin, once', async (t) => {
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const zoneOf = (index: number): string => (index < 2 ? 'town' : 'capital')
  const { nodes } = await openSiblings(t, 4, {
    origins: [origin.url],
    more: (index, urls) => ({
      cluster: {
        zone: zoneOf(index),
        parentZone: index < 2 ? 'capital' : null,
        siblings: urls.map((url, other) => ({ id: `node-${other}`, url, zone: zoneOf(other) })),
      },
    }),
  })
  const [one, other, ...above] = nodes
  assert.ok(one && other)
  for (const node of [one, other])
    assert.equal((await get(`${node.url}/segment.ts`)).body.toString(), 'a body')
  const asked = await Promise.all([one, other].map(async (node) => (await node.stats()).origin.requests))
  assert.deepEqual(asked, [0, 0])
  assert.equal(origin.count(), 1)
  const served = await Promise.all(above.map(async (node) => (await node.stats()).peers?.requests ?? 0))
  assert.deepEqual(served.toSorted(), [0, 1])
})

test('who has too much to do is passed over for its runner-up', async (t) => {
  const late = barrier()
  const origin = await openOrigin(t, async (_, response) => {
    await late.opened
    reply(response, 'a body', KEPT)
  })
  const { nodes, ranked, ownedBy } = await openSiblings(t, 3, {
    origins: [origin.url],
    more: (index) => ({ cluster: index === 0 ? { maxRequests: 1 } : {} }),
  })
  const [owner] = nodes
  assert.ok(owner)
  const first = ownedBy(owner, origin.url, '.ts')
  const asker = ranked(origin.url + first)[2]
  assert.ok(asker)
  const begun = get(asker.url + first)
  await origin.reached(1)
  const next = Array.from({ length: 400 }, (_, index) => `/object-${index}.m4s`).find(
    (target) => ranked(origin.url + target)[0] === owner && ranked(origin.url + target)[2] === asker,
  )
  const shed = get(asker.url + next)
  await origin.reached(2)
  late.open()
  assert.equal((await begun).status, 200)
  assert.equal((await shed).status, 200)
  assert.equal((await owner.stats()).peers?.refused.shed, 1)
  assert.equal(origin.count(), 2)
  assert.equal((await asker.stats()).origin.requests, 0)
})
