/** Groups of responses that an origin declares untrue at one blow (RFC 9875), in memory, on disk, and while they come. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Groups } from '../../src/cache/groups.ts'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { type Handler, openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { storedOf } from './support/route.ts'

const ORIGIN = 'http://origin.example/'

/** A stored response of these groups that was asked for at `askedAt`. */
function memberOf(groups: string, askedAt: number, key = `${ORIGIN}seg1.ts`): ReturnType<typeof storedOf> {
  const { head, body } = storedOf({ 'cache-groups': groups })
  return { head: { ...head, key, askedAt }, body }
}

function invalidation(groups: string): { 'cache-group-invalidation': string } {
  return { 'cache-group-invalidation': groups }
}

test('what was asked for before its group was invalidated is validated, what was asked for later is not', () => {
  const groups = new Groups(0)
  const before = memberOf('"a", "b"', 10)
  assert.equal(groups.judged(before), before)
  groups.invalidate(ORIGIN, invalidation('"b"'), 20)
  const { freshness } = groups.judged(before).head
  assert.equal(freshness.mustValidate, true)
  assert.deepEqual([freshness.freshUntil, freshness.staleIfErrorUntil], [freshness.bornAt, freshness.bornAt])
  assert.equal(groups.isInvalid(memberOf('"a", "b"', 20).head), true)
  assert.equal(groups.isInvalid(memberOf('"a", "b"', 21).head), false)
  assert.equal(groups.isInvalid(memberOf('"a"', 10).head), false)
  assert.equal(groups.isInvalid(memberOf('"B"', 10).head), false)
  assert.equal(groups.isInvalid(storedOf().head), false)
})

test('a group belongs to its origin', () => {
  const groups = new Groups(0)
  groups.invalidate('http://origin.example:8080/path/', invalidation('"a"'), 20)
  for (const [key, expected] of [
    ['http://origin.example:8080/other', true],
    ['http://origin.example/other', false],
    ['https://origin.example:8080/other', false],
  ] as const) {
    assert.equal(groups.isInvalid(memberOf('"a"', 10, key).head), expected, key)
  }
})

test('of more groups than are remembered the oldest is forgotten, and nothing it invalidated is used for that', () => {
  const groups = new Groups(0, 4)
  for (let index = 1; index <= 5; index++) {
    groups.invalidate(ORIGIN, invalidation(`"group-${index}"`), 100 * index)
  }
  assert.equal(groups.isInvalid(memberOf('"group-1"', 50).head), true)
  // It cannot be told apart any more from what was asked for before that instant.
  assert.equal(groups.isInvalid(memberOf('"another"', 100).head), true)
  assert.equal(groups.isInvalid(memberOf('"another"', 101).head), false)
  assert.equal(groups.isInvalid(memberOf('"group-5"', 450).head), true)
})

test('what was stored before this process began may have been invalidated since', () => {
  const groups = new Groups(1_000)
  assert.equal(groups.isInvalid(memberOf('"a"', 999).head), true)
  assert.equal(groups.isInvalid(memberOf('"a"', 1_000).head), false)
})

/** Segments of the group "a" with a version; a write declares what its path names untrue. */
function versioned(version: () => number): Handler {
  return (request, response) => {
    const etag = `"${version()}"`
    const fields = { 'cache-control': 'max-age=60, stale-if-error=600', 'cache-groups': '"a"', etag }
    if (request.method === 'POST') {
      reply(response, '', { 'cache-group-invalidation': String(request.headers['x-groups']) })
    } else if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, fields).end()
    } else {
      reply(response, `version ${version()}`, fields)
    }
  }
}

function gets(origin: TestOrigin): number {
  return origin.asked.filter(({ method }) => method === 'GET').length
}

test('a write that invalidates a group has each member validated once before it is served again', async (t) => {
  let version = 1
  const origin = await openOrigin(
    t,
    versioned(() => version),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const read = async (name: string): Promise<string> => String((await get(`${relais.url}/${name}.ts`)).body)
  for (const name of ['seg1', 'seg2']) assert.equal(await read(name), 'version 1')
  relais.clock.advance(1)
  await get(`${relais.url}/edit`, { method: 'POST', headers: { 'x-groups': '"b"' } })
  assert.equal(await read('seg1'), 'version 1')
  assert.equal(gets(origin), 2)
  version = 2
  await get(`${relais.url}/edit`, { method: 'POST', headers: { 'x-groups': '"a"' } })
  relais.clock.advance(1)
  for (let round = 0; round < 2; round++) {
    for (const name of ['seg1', 'seg2']) assert.equal(await read(name), 'version 2')
  }
  assert.equal(gets(origin), 4)
})

test('an invalidated response that a 304 confirms is good again, and does not stand in where nobody confirms it', async (t) => {
  const origin = await openOrigin(
    t,
    versioned(() => 1),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.ts`
  await get(url)
  const edit = (): unknown => get(`${relais.url}/edit`, { method: 'POST', headers: { 'x-groups': '"a"' } })
  await edit()
  relais.clock.advance(1)
  assert.match(String((await get(url)).headers['cache-status']), /fwd=stale; fwd-status=304/)
  assert.match(String((await get(url)).headers['cache-status']), /; hit/)
  await edit()
  origin.answer((_request, response) => response.destroy())
  assert.equal((await get(url)).status, 502)
})

test('Cache-Group-Invalidation in the answer to a GET says nothing', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'x', {
      'cache-control': 'max-age=60',
      'cache-groups': '"a"',
      'cache-group-invalidation': '"a"',
    }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const name of ['seg1', 'seg2', 'seg1']) await get(`${relais.url}/${name}.ts`)
  assert.equal(origin.count(), 2)
})

test('a fill that was under way when its group was invalidated is for those who asked before', async (t) => {
  const gate = barrier()
  let version = 1
  const answer = versioned(() => version)
  const origin = await openOrigin(t, async (request, response) => {
    if (request.method !== 'GET' || version > 1) {
      answer(request, response)
      return
    }
    response.writeHead(200, { 'cache-control': 'max-age=60', 'cache-groups': '"a"', 'content-length': '9' })
    response.write('version')
    await gate.opened
    response.end(' 1')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.ts`
  const begun = barrier()
  const first = get(url, { onData: () => begun.open() })
  await begun.opened
  await get(`${relais.url}/edit`, { method: 'POST', headers: { 'x-groups': '"a"' } })
  relais.clock.advance(1)
  version = 2
  const second = await get(url)
  assert.equal(String(second.body), 'version 2')
  assert.match(String(second.headers['cache-status']), /; stored/)
  gate.open()
  assert.equal(String((await first).body), 'version 1')
})

test('after a restart a member on disk is confirmed once before it is served', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'relais-groups-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  const origin = await openOrigin(
    t,
    versioned(() => 1),
  )
  const options = { origins: [origin.url], file: { disk: { path, maxBytes: '64MB' } } }
  const first = await openTestRelais(t, options)
  await get(`${first.url}/seg1.ts`)
  const { clock } = first
  await first.close()
  clock.advance(1)
  const second = await openTestRelais(t, { ...options, clock })
  const url = `${second.url}/seg1.ts`
  assert.match(String((await get(url)).headers['cache-status']), /fwd=stale; fwd-status=304/)
  assert.match(String((await get(url)).headers['cache-status']), /; hit/)
})

test('who joined a fill before its head came, and after its group was invalidated, is not given what it brought', async (t) => {
  const gate = barrier()
  let version = 1
  const answer = versioned(() => version)
  const origin = await openOrigin(t, async (request, response) => {
    const isFirst = request.method === 'GET' && version === 1
    if (!isFirst) {
      answer(request, response)
      return
    }
    await gate.opened
    reply(response, 'version 1', { 'cache-control': 'max-age=60', 'cache-groups': '"a"' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/seg1.ts`
  const first = get(url)
  await origin.reached(1)
  await get(`${relais.url}/edit`, { method: 'POST', headers: { 'x-groups': '"a"' } })
  relais.clock.advance(1)
  version = 2
  const second = get(url)
  await until(async () => (await relais.stats()).viewers >= 2, 'the second viewer is here')
  gate.open()
  assert.equal(String((await first).body), 'version 1')
  assert.equal(String((await second).body), 'version 2')
})
