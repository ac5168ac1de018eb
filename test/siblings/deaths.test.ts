/** A sibling that dies, is cut off or hangs: its keys go to who stands in, and bodies that were under way go on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openSiblings } from '../support/relais-siblings.ts'

const KEPT = { 'cache-control': 'max-age=600', etag: '"one"' }
const MIB = 1024 * 1024

test('when the owner is not there its runner-up fills, and the origin is asked once', async (t) => {
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const { nodes, ranked, ownedBy } = await openSiblings(t, 3, { origins: [origin.url] })
  const [dead] = nodes
  assert.ok(dead)
  const target = ownedBy(dead, origin.url)
  const [, second, third] = ranked(origin.url + target)
  assert.ok(second && third)
  dead.link.cut()
  assert.equal((await get(third.url + target)).body.toString(), 'a body')
  assert.equal((await get(second.url + target)).body.toString(), 'a body')
  assert.equal(origin.count(), 1)
  assert.equal((await second.stats()).peers?.requests, 1)
})

test('what a stand-in asks the origin in place of a dead owner is walked along with by its siblings', async (t) => {
  const held = barrier()
  const origin = await openOrigin(t, async (_, response) => {
    await held.opened
    reply(response, 'a body', KEPT)
  })
  const { nodes, ranked, ownedBy } = await openSiblings(t, 3, { origins: [origin.url] })
  const [dead] = nodes
  assert.ok(dead)
  const target = ownedBy(dead, origin.url)
  const [, second, third] = ranked(origin.url + target)
  assert.ok(second && third)
  dead.link.cut()
  // The stand-in has asked the owner in vain, and waits for no sibling any more.
  const first = get(second.url + target)
  await origin.reached(1)
  const other = get(third.url + target)
  await until(async () => (await second.stats()).waiting === 2, 'the request of the third walks with it')
  held.open()
  for (const answer of await Promise.all([first, other])) assert.equal(answer.body.toString(), 'a body')
  assert.equal(origin.count(), 1)
})

test('who failed is left alone: the next requests do not try it', async (t) => {
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const { nodes, ranked, ownedBy } = await openSiblings(t, 2, { origins: [origin.url] })
  const [dead] = nodes
  assert.ok(dead)
  const target = ownedBy(dead, origin.url)
  const [, other] = ranked(origin.url + target)
  assert.ok(other)
  dead.link.cut()
  for (const query of ['', '?1', '?2', '?3']) await get(other.url + ownedBy(dead, origin.url, query))
  const [sibling] = (await other.stats()).siblings
  assert.deepEqual([sibling?.asked, sibling?.failed, sibling?.penalised], [1, 1, 1])
  // A second later one request finds out.
  dead.link.heal()
  other.clock.advance(1_000)
  await get(other.url + ownedBy(dead, origin.url, '?4'))
  assert.equal((await other.stats()).siblings[0]?.answered, 1)
})

test('an owner that says nothing is waited for no longer than it may be silent', async (t) => {
  const origin = await openOrigin(t, (_, response) => reply(response, 'a body', KEPT))
  const { nodes, ranked, ownedBy } = await openSiblings(t, 2, { origins: [origin.url] })
  const [mute] = nodes
  assert.ok(mute)
  const target = ownedBy(mute, origin.url)
  const [, other] = ranked(origin.url + target)
  assert.ok(other)
  mute.link.silence()
  assert.equal((await get(other.url + target)).body.toString(), 'a body')
  assert.equal((await other.stats()).siblings[0]?.failed, 1)
})

test('an owner that says that it waits for the origin is waited for, and the origin is asked once', async (t) => {
  const late = barrier()
  const origin = await openOrigin(t, async (_, response) => {
    await late.opened
    reply(response, 'a body', KEPT)
  })
  const { nodes, ranked, ownedBy } = await openSiblings(t, 2, { origins: [origin.url] })
  const [owner] = nodes
  assert.ok(owner)
  const target = ownedBy(owner, origin.url)
  const [, other] = ranked(origin.url + target)
  assert.ok(other)
  const answer = get(other.url + target)
  await origin.reached(1)
  // Longer than anyone may be silent.
  const startedAt = performance.now()
  await until(() => performance.now() - startedAt > 2_000, 'two seconds have passed')
  late.open()
  assert.equal((await answer).body.toString(), 'a body')
  assert.equal(origin.count(), 1)
  assert.equal((await other.stats()).siblings[0]?.failed, 0)
})

test('a body that breaks off at the owner goes on at its runner-up, and each viewer has all of it', async (t) => {
  const body = Buffer.from(Array.from({ length: MIB }, (_, index) => index % 251))
  const middle = barrier()
  const origin = await openOrigin(t, async (request, response) => {
    const [, first] = /^bytes=(\d+)-/.exec(request.headers.range ?? '') ?? []
    if (first !== undefined) {
      const range = { 'content-range': `bytes ${first}-${body.byteLength - 1}/${body.byteLength}` }
      reply(response, body.subarray(Number(first)), { ...KEPT, ...range }, 206)
      return
    }
    response.writeHead(200, { ...KEPT, 'accept-ranges': 'bytes', 'content-length': String(body.byteLength) })
    response.write(body.subarray(0, MIB / 2))
    await middle.opened
    response.end(body.subarray(MIB / 2))
  })
  const { nodes, ranked, ownedBy } = await openSiblings(t, 3, { origins: [origin.url] })
  const [owner] = nodes
  assert.ok(owner)
  const target = ownedBy(owner, origin.url, '.ts')
  const others = ranked(origin.url + target).slice(1)
  let came = 0
  const onData = (chunk: Buffer): void => {
    came += chunk.byteLength
  }
  const answers = others.flatMap((node) => [1, 2, 3].map(() => get(node.url + target, { onData })))
  await until(() => came === (6 * MIB) / 2, 'half of it is everywhere')
  owner.link.cut()
  await until(async () => {
    const stats = await Promise.all(others.map((node) => node.stats()))
    return stats.every(({ siblings }) => siblings.some(({ failed }) => failed > 0))
  }, 'the others have seen it break off')
  middle.open()
  for (const answer of await Promise.all(answers)) {
    assert.ok(answer.isWhole)
    assert.ok(answer.body.equals(body))
  }
})
