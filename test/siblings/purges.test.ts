/** A purge on one node is in force on all, and nothing of before it comes back from a node that has not heard of it. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { PurgeRule } from '../../src/purge/purge-rule.ts'
import { PurgeBook } from '../../src/siblings/purge-book.ts'
import { hasPurges, writtenPurges } from '../../src/siblings/purge-fence.ts'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openSiblings, type TestSibling } from '../support/relais-siblings.ts'

interface Play {
  readonly origin: TestOrigin
  readonly asker: TestSibling
  readonly owner: TestSibling
  readonly third: TestSibling
  /** The owner's. */
  readonly target: string
  /** From now on the origin has another edition of everything. */
  readonly next: () => void
}

async function play(t: TestContext): Promise<Play> {
  let edition = 1
  const origin = await openOrigin(t, (_, response) =>
    reply(response, `edition ${edition}`, {
      'cache-control': 'max-age=3600',
      'surrogate-key': 'film',
      etag: `"${edition}"`,
    }),
  )
  const { nodes, ownedBy } = await openSiblings(t, 3, { origins: [origin.url] })
  const [asker, owner, third] = nodes
  assert.ok(asker && owner && third)
  return { origin, asker, owner, third, target: ownedBy(owner, origin.url, '.ts'), next: () => edition++ }
}

async function text(node: TestSibling, target: string): Promise<string> {
  const { status, body } = await get(node.url + target)
  assert.equal(status, 200)
  return body.toString()
}

async function purge(node: TestSibling, order: Record<string, unknown>): Promise<Record<string, unknown>> {
  const response = await fetch(`${node.url}/-/purge`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order),
  })
  assert.equal(response.status, 200)
  // What /-/purge answers is an object.
  return (await response.json()) as Record<string, unknown>
}

for (const [what, orderOf] of [
  ['address', (target: string) => ({ url: target })],
  ['tag', () => ({ tag: 'film' })],
  ['prefix', () => ({ prefix: '/object' })],
  ['soft', () => ({ all: true, soft: true })],
] as const) {
  test(`what one node is told to purge is gone from all when all were waited for (${what})`, async (t) => {
    const { origin, asker, owner, third, target, next } = await play(t)
    // Twice, so that each keeps it.
    for (const node of [owner, asker, third, asker, third]) await text(node, target)
    assert.equal(origin.count(), 1)
    next()
    const answer = await purge(asker, { ...orderOf(target), wait: 'all' })
    assert.deepEqual(answer['laggards'], [])
    for (const node of [third, asker, owner]) assert.equal(await text(node, target), 'edition 2', node.id)
    assert.equal(origin.count(), 2)
    assert.equal((await owner.stats()).purges.received, 1)
    assert.equal((await asker.stats()).purges.issued, 1)
  })
}

test('what a sibling has that has not heard of a purge is neither taken nor kept', async (t) => {
  const { origin, asker, owner, target, next } = await play(t)
  await text(asker, target)
  owner.link.holdNews()
  next()
  await purge(asker, { url: target })
  assert.equal(await text(asker, target), 'edition 2')
  assert.equal(await text(asker, target), 'edition 2')
  assert.equal(origin.count(), 2)
  // Its stand-in asks it what it has as well.
  assert.ok(((await owner.stats()).peers?.refused.behind ?? 0) >= 1)
  assert.equal(await text(owner, target), 'edition 1', 'it is not in force there')
  owner.link.heal()
  await until(async () => {
    asker.beat()
    return (await owner.stats()).purges.received === 1
  }, 'the owner has heard of it')
  assert.equal(await text(owner, target), 'edition 2')
})

test('a node that has heard of all purges is asked as ever', async (t) => {
  const { origin, asker, owner, third, target, next } = await play(t)
  await text(asker, target)
  next()
  await purge(asker, { url: target, wait: 'all' })
  for (const node of [asker, third, asker, third]) assert.equal(await text(node, target), 'edition 2')
  assert.equal(origin.count(), 2)
  assert.equal((await owner.stats()).peers?.refused.behind, 0)
})

test('who has not said in time that a purge is in force there is named', async (t) => {
  const { asker, owner, target } = await play(t)
  await text(asker, target)
  owner.link.holdNews()
  const { applied, laggards } = await purge(asker, { url: target, wait: 'all' })
  assert.equal(applied, true)
  assert.deepEqual(laggards, [owner.id])
})

test('an order waits for all or for nobody', async (t) => {
  const { asker, target } = await play(t)
  const response = await fetch(`${asker.url}/-/purge`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: target, wait: 'some' }),
  })
  assert.equal(response.status, 400)
  assert.match(await response.text(), /wait: expected \\"all\\", and \\"some\\" came/)
})

async function openBook(): Promise<PurgeBook> {
  return PurgeBook.open({
    issuer: 'here:1',
    path: undefined,
    clock: () => 0,
    target: {
      positions: () => ({}),
      apply: () => undefined,
      skipTo: () => undefined,
      distrust: () => undefined,
    },
    onTrouble: () => undefined,
  })
}

function ruleOf(sequence: number): PurgeRule {
  return { by: 'there:1', sequence, at: 0, kind: 'url', values: ['/a'], soft: false }
}

test('who asks waits for purges that are on their way, each of them, and goes on with the last one', async () => {
  const book = await openBook()
  const has = hasPurges(book, 'there:1=2')
  assert.ok(has instanceof Promise)
  await book.take({ floors: {}, rules: [ruleOf(1)] })
  await book.take({ floors: {}, rules: [ruleOf(2)] })
  assert.equal(await has, true)
  assert.equal(hasPurges(book, 'there:1=2'), true)
  assert.equal(hasPurges(book, undefined), true)
})

test('a purge that does not come is not waited for long', async () => {
  const book = await openBook()
  await book.take({ floors: {}, rules: [ruleOf(1)] })
  assert.equal(await hasPurges(book, 'there:1=1,elsewhere:1=1'), false)
})

test('what names no purges is taken for a purge that is not in force', async () => {
  const book = await openBook()
  for (const value of ['', 'there:1', 'there:1=x', '=1', 'there:1=-1', `a=1,${'b=1,'.repeat(2_000)}`])
    assert.equal(await hasPurges(book, value), false, value.slice(0, 20))
})

test('of more lives of nodes than can be named none is said, and then nobody is asked', () => {
  const lives = (count: number): Record<string, number> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`node:${index}`, 1]))
  assert.equal(writtenPurges({}), '')
  assert.equal(writtenPurges({ 'a:1': 7, 'b:2': 9 }), 'a:1=7,b:2=9')
  assert.equal(writtenPurges(lives(64))?.split(',').length, 64)
  assert.equal(writtenPurges(lives(65)), undefined)
})
