/** An origin is asked no more at once than it may be, nobody waits without bound, and slow viewers hold up no fill. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { RelaisError } from '../../src/errors.ts'
import { Budget, type Permit } from '../../src/upstream/budget.ts'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const NEVER = new AbortController().signal

function budgetOf(connections: number, queue = 10, queueTimeoutMs = 60_000): Budget {
  return new Budget({ connections, queue, queueTimeoutMs })
}

function take(budget: Budget, readers: 'all' | 'one', count: number): Promise<readonly Permit[]> {
  return Promise.all(Array.from({ length: count }, () => budget.acquire(readers, 'origin', NEVER)))
}

const isLimit = (error: unknown): boolean => error instanceof RelaisError && error.code === 'CONNECTION_LIMIT'

test('a place that becomes free goes to who has waited longest', async () => {
  const budget = budgetOf(2)
  const [first, second] = await take(budget, 'all', 2)
  const order: string[] = []
  const waiting = ['a', 'b', 'c'].map((name) =>
    budget.acquire(name === 'b' ? 'one' : 'all', 'origin', NEVER).then((permit) => {
      order.push(name)
      return permit
    }),
  )
  assert.equal(budget.waiting, 3)
  first?.release()
  await waiting[0]
  second?.release()
  await waiting[1]
  assert.equal(budget.used, 2)
  ;(await waiting[0])?.release()
  await waiting[2]
  assert.deepEqual(order, ['a', 'b', 'c'])
})

test('a permit that is released twice is released once', async () => {
  const budget = budgetOf(2)
  const [first] = await take(budget, 'all', 2)
  first?.release()
  first?.release()
  assert.equal(budget.used, 1)
})

test('who finds the queue full is refused at once, and who waits too long after that time', async () => {
  const budget = budgetOf(1, 1, 20)
  await take(budget, 'all', 1)
  const waiting = budget.acquire('all', 'origin', NEVER)
  await assert.rejects(budget.acquire('all', 'origin', NEVER), isLimit)
  await assert.rejects(waiting, isLimit)
  assert.equal(budget.waiting, 0)
})

test('who leaves the queue leaves no trace', async () => {
  const budget = budgetOf(1)
  const [held] = await take(budget, 'all', 1)
  const leaving = new AbortController()
  const left = budget.acquire('all', 'origin', leaving.signal)
  leaving.abort(new Error('gone'))
  await assert.rejects(left, /gone/)
  assert.equal(budget.waiting, 0)
  held?.release()
  assert.equal(budget.used, 0)
})

test('of four places one is left for what many read', async () => {
  const budget = budgetOf(4)
  const alone = await take(budget, 'one', 3)
  const waiting = budget.acquire('one', 'origin', NEVER)
  assert.equal(budget.waiting, 1)
  const [fill] = await take(budget, 'all', 1)
  // Not by this place: it is not for single viewers.
  fill?.release()
  assert.equal(budget.waiting, 1)
  alone[0]?.release()
  await waiting
  assert.equal(budget.used, 3)
})

test('a fill that turns out to be for one viewer needs a place as such', async () => {
  const budget = budgetOf(4)
  const fills = await take(budget, 'all', 4)
  assert.deepEqual(
    fills.map((permit) => permit.toOne()),
    [true, true, true, false],
  )
  assert.equal(budget.used, 4)
  for (const permit of fills) permit.release()
  assert.equal(budget.used, 0)
  // What has ended holds up nobody.
  assert.equal(fills[3]?.toOne(), true)
  await take(budget, 'all', 4)
})

test('the urgent go first, and after three of them one who has waited longest', async () => {
  const budget = budgetOf(1)
  const [held] = await take(budget, 'all', 1)
  const order: string[] = []
  const names = ['slow1', 'slow2', 'urgent1', 'urgent2', 'urgent3', 'urgent4']
  const waiting = names.map(async (name, index) => {
    const readers = index % 2 === 0 ? 'all' : 'one'
    const permit = await budget.acquire(readers, 'origin', NEVER, name.startsWith('u') ? 'now' : 'soon')
    order.push(name)
    permit.release()
  })
  assert.equal(budget.waiting, 6)
  held?.release()
  await Promise.all(waiting)
  assert.deepEqual(order, ['urgent1', 'urgent2', 'urgent3', 'slow1', 'urgent4', 'slow2'])
})

test('a viewer whose picture is about to stop is asked for before those who have time', async (t) => {
  const { held, origin, relais } = await openBusy(t, { connections: 1 })
  const first = get(`${relais.url}/held1.ts`)
  await origin.reached(1)
  const others: Promise<unknown>[] = []
  for (const [index, target] of ['/calm.ts', '/well.ts?CMCD=bl%3D9000', '/low.ts?CMCD=bl%3D900'].entries()) {
    others.push(get(relais.url + target))
    await until(
      async () => (await relais.stats()).routes[0]?.origins[0]?.waiting === index + 1,
      'it waits as well',
    )
  }
  others.push(get(`${relais.url}/start.ts`, { headers: { 'cmcd-request': 'su' } }))
  await until(async () => (await relais.stats()).routes[0]?.origins[0]?.waiting === 4, 'the last waits')
  held.open()
  await Promise.all([first, ...others])
  assert.deepEqual(
    origin.asked.map(({ target }) => target),
    ['/held1.ts', '/low.ts', '/start.ts', '/calm.ts', '/well.ts'],
  )
})

test('who waits already moves forward when somebody in a hurry joins him', async () => {
  const budget = budgetOf(1)
  const [held] = await take(budget, 'all', 1)
  const order: string[] = []
  const urged = Promise.withResolvers<void>()
  const waiting = ['first', 'second', 'urged'].map(async (name) => {
    const isUrged = name === 'urged' ? urged.promise : undefined
    const permit = await budget.acquire('all', 'origin', NEVER, 'soon', isUrged)
    order.push(name)
    permit.release()
  })
  urged.resolve()
  await urged.promise
  held?.release()
  await Promise.all(waiting)
  assert.deepEqual(order, ['urged', 'first', 'second'])
})

test('who was let in, or has left, is not urged any more', async () => {
  const budget = budgetOf(1)
  const [held] = await take(budget, 'all', 1)
  const urged = Promise.withResolvers<void>()
  const leaving = new AbortController()
  const left = budget.acquire('all', 'origin', leaving.signal, 'soon', urged.promise)
  leaving.abort(new Error('gone'))
  await assert.rejects(left, /gone/)
  urged.resolve()
  await urged.promise
  const next = budget.acquire('all', 'origin', NEVER)
  held?.release()
  await next
  assert.deepEqual([budget.used, budget.waiting], [1, 0])
})

test('a viewer whose picture is about to stop moves the fill forward that he joins', async (t) => {
  const { held, origin, relais } = await openBusy(t, { connections: 1 })
  const first = get(`${relais.url}/held1.ts`)
  await origin.reached(1)
  const others: Promise<unknown>[] = []
  const waiting = async (): Promise<number> => (await relais.stats()).waiting
  for (const [index, target] of ['/calm.ts', '/shared.ts', '/shared.ts?CMCD=su'].entries()) {
    others.push(get(relais.url + target))
    await until(async () => (await waiting()) === index + 2, 'it waits as well')
  }
  held.open()
  await Promise.all([first, ...others])
  assert.deepEqual(
    origin.asked.map(({ target }) => target),
    ['/held1.ts', '/shared.ts', '/calm.ts'],
  )
})

test('where there is one place only, both may have it', async () => {
  const budget = budgetOf(1)
  const [alone] = await take(budget, 'one', 1)
  alone?.release()
  await take(budget, 'all', 1)
})

async function errorOf(
  url: string,
): Promise<{ error: string; status: number; headers: Record<string, unknown> }> {
  const { status, headers, body } = await get(url)
  return { status, headers, error: JSON.parse(String(body)).error }
}

async function underWay(relais: TestRelais): Promise<number> {
  return (await relais.stats()).routes[0]?.origins[0]?.underWay ?? 0
}

async function openBusy(t: TestContext, upstream: Record<string, unknown>) {
  const held = barrier()
  const origin = await openOrigin(t, async (request, response) => {
    if (request.url?.startsWith('/held')) await held.opened
    reply(response, 'segment', { 'cache-control': 'max-age=60' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { upstream } })
  return { held, origin, relais }
}

test('no more requests than connections reach an origin at once; the others wait their turn', async (t) => {
  const held = barrier()
  let now = 0
  let most = 0
  const origin = await openOrigin(t, async (_request, response) => {
    most = Math.max(most, ++now)
    await held.opened
    now--
    reply(response, 'segment', { 'cache-control': 'max-age=60' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { upstream: { connections: 3 } } })
  const answers = Array.from({ length: 40 }, (_, nth) => get(`${relais.url}/seg${nth}.ts`))
  await until(async () => (await relais.stats()).routes[0]?.origins[0]?.waiting === 37, 'all others wait')
  await origin.reached(3)
  held.open()
  for (const { status } of await Promise.all(answers)) assert.equal(status, 200)
  assert.equal(most, 3)
  assert.equal(origin.count(), 40)
  await settled(relais)
  assert.equal(await underWay(relais), 0)
})

test('beyond the queue a viewer is told at once that the limit is reached', async (t) => {
  const { held, origin, relais } = await openBusy(t, { connections: 1, queue: 1 })
  const first = get(`${relais.url}/held1.ts`)
  await origin.reached(1)
  const second = get(`${relais.url}/held2.ts`)
  await until(async () => (await relais.stats()).routes[0]?.origins[0]?.waiting === 1, 'one waits')
  const { status, error, headers } = await errorOf(`${relais.url}/seg3.ts`)
  assert.equal(status, 503)
  assert.equal(error, 'CONNECTION_LIMIT')
  assert.match(String(headers['proxy-status']), /connection_limit_reached/)
  assert.equal(headers['retry-after'], '1')
  held.open()
  assert.equal((await first).status, 200)
  assert.equal((await second).status, 200)
  const [route] = (await settled(relais)).routes
  assert.equal(route?.origins[0]?.refused, 1)
  // It is our own bound, and no failure of the origin.
  assert.equal(route?.origins[0]?.penalisedUntil, undefined)
  assert.equal(route?.origins[0]?.errors, 0)
})

test('who has waited long enough is told so, or has the next origin asked', async (t) => {
  const upstream = { connections: 1, queueTimeout: '50ms' }
  const { origin, relais } = await openBusy(t, upstream)
  const first = openViewer(`${relais.url}/held1.ts`)
  await origin.reached(1)
  assert.equal((await errorOf(`${relais.url}/seg2.ts`)).error, 'CONNECTION_LIMIT')
  first.leave()
  await first.answer.catch(() => undefined)
  const second = await openOrigin(t, (_request, response) => reply(response, 'second'))
  const both = await openTestRelais(t, { origins: [origin.url, second.url], file: { upstream } })
  const holding = openViewer(`${both.url}/held3.ts`)
  await until(() => origin.count('/held3.ts') === 1, 'it is held')
  assert.equal(String((await get(`${both.url}/seg4.ts`)).body), 'second')
  holding.leave()
  await holding.answer.catch(() => undefined)
})

test('routes that lead to one origin share what it may be asked', async (t) => {
  const held = barrier()
  const origin = await openOrigin(t, async (_request, response) => {
    await held.opened
    reply(response, 'segment')
  })
  const routes = ['a', 'b'].map((name) => ({ prefix: `/${name}/`, origins: [`${origin.url}/${name}/`] }))
  const relais = await openTestRelais(t, { file: { routes, upstream: { connections: 1, queue: 0 } } })
  const first = get(`${relais.url}/a/seg1.ts`)
  await origin.reached(1)
  assert.equal((await errorOf(`${relais.url}/b/seg1.ts`)).error, 'CONNECTION_LIMIT')
  held.open()
  assert.equal((await first).status, 200)
})

test('viewers who take nothing of what is theirs alone leave connections for fills', async (t) => {
  const large = Buffer.alloc(16 * 1024 * 1024, 'x')
  const origin = await openOrigin(t, (request, response) => {
    if (request.url?.startsWith('/mine')) reply(response, large, { 'cache-control': 'private' })
    else reply(response, 'segment', { 'cache-control': 'max-age=60' })
  })
  const upstream = { connections: 8, queueTimeout: '100ms' }
  const relais = await openTestRelais(t, { origins: [origin.url], file: { upstream } })
  // Each asks for something else, so that each is a fill at first.
  const slow = Array.from({ length: 30 }, (_, nth) =>
    openViewer(`${relais.url}/mine${nth}.ts`, { paused: true }),
  )
  const heads = await Promise.all(slow.map(({ head }) => head.then(({ status }) => status)))
  assert.equal(heads.filter((status) => status === 200).length, 6)
  assert.equal(heads.filter((status) => status === 503).length, 24)
  assert.equal(await underWay(relais), 6)
  for (let nth = 0; nth < 20; nth++) {
    assert.equal(String((await get(`${relais.url}/seg${nth}.ts`)).body), 'segment')
  }
  for (const viewer of slow) viewer.leave()
  await until(async () => (await underWay(relais)) === 0, 'all have left')
  assert.equal(String((await get(`${relais.url}/mine-again.ts`)).body.byteLength), String(large.byteLength))
})

test('writes that take their time leave the connections of fills alone', async (t) => {
  const held = barrier()
  const origin = await openOrigin(t, async (request, response) => {
    if (request.method === 'POST') await held.opened
    reply(response, 'segment', { 'cache-control': 'max-age=60' })
  })
  const relais = await openTestRelais(t, { origins: [origin.url], file: { upstream: { connections: 2 } } })
  const writes = Array.from({ length: 4 }, (_, nth) =>
    get(`${relais.url}/write${nth}`, { method: 'POST', body: 'x' }),
  )
  await origin.reached(2)
  assert.equal((await get(`${relais.url}/seg1.ts`)).status, 200)
  held.open()
  for (const { status } of await Promise.all(writes)) assert.equal(status, 200)
})
