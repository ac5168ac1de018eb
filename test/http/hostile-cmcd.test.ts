/** What players say of themselves may be garbage in any measure: their answers are as always, and nothing is kept of it. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Audience } from '../../src/cache/audience/audience.ts'
import { Streams } from '../../src/cache/streams.ts'
import { readEvents } from '../../src/media/cmcd.ts'
import { until } from '../support/barrier.ts'
import { get, type Response } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply } from '../support/origin.ts'
import fc from '../support/properties.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const KIB_64 = 64 * 1024
const LASTING = { 'cache-control': 'max-age=600' }

async function open(t: TestContext): Promise<TestRelais> {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'segment', LASTING))
  return openTestRelais(t, { origins: [origin.url], file: { cmcd: { events: '/cmcd' }, prefetch: {} } })
}

function post(relais: TestRelais, body: string): Promise<Response> {
  const headers = { 'content-type': 'application/cmcd' }
  return get(`${relais.url}/cmcd`, { method: 'POST', headers, body })
}

/** Nothing of it was taken, and a viewer is served. */
async function unharmed(relais: TestRelais): Promise<void> {
  assert.equal((await get(`${relais.url}/a.ts`)).body.toString(), 'segment')
  const { cmcd, prefetch } = await relais.stats()
  assert.deepEqual([cmcd.sessions, cmcd.reports, cmcd.events, prefetch.sent], [0, 0, 0, 0])
}

test('CMCD of 64 KiB in the query is a head that is too large', async (t) => {
  const relais = await open(t)
  const answer = await get(`${relais.url}/a.ts?CMCD=sid%3D%22${'x'.repeat(KIB_64)}%22`)
  assert.deepEqual([answer.status, JSON.parse(String(answer.body)).error], [431, 'HEAD_TOO_LARGE'])
  await unharmed(relais)
})

for (const name of ['cmcd-session', 'cmcd-request', 'cmcd-object', 'cmcd-status']) {
  test(`CMCD of 64 KiB in ${name} is a head that is too large`, async (t) => {
    const relais = await open(t)
    const answer = await get(`${relais.url}/a.ts`, { headers: { [name]: `sid="${'x'.repeat(KIB_64)}"` } })
    assert.deepEqual([answer.status, JSON.parse(String(answer.body)).error], [431, 'HEAD_TOO_LARGE'])
    await unharmed(relais)
  })
}

test('as much CMCD as a head holds is no report, in the query and in headers, and its answer is as always', async (t) => {
  const relais = await open(t)
  const long = 'x'.repeat(12 * 1024)
  for (const [path, headers] of [
    [`/a.ts?CMCD=sid%3D%22${long}%22`, {}],
    [`/a.ts?CMCD=${encodeURIComponent(`nor="b.ts",sid="a",x="${long}"`)}`, {}],
    ['/a.ts', { 'cmcd-request': `nor="b.ts",x="${long}"` }],
    ['/a.ts', { 'cmcd-session': 'sid="a"', 'cmcd-object': `x="${long}"` }],
  ] as const) {
    const answer = await get(relais.url + path, { headers })
    assert.deepEqual([answer.status, answer.body.toString()], [200, 'segment'])
  }
  await unharmed(relais)
})

test('events of 64 KiB are bad in one line, and read in many', async (t) => {
  const relais = await open(t)
  const one = await post(relais, `e=t,sid="a",v=2,x="${'x'.repeat(KIB_64)}"`)
  assert.deepEqual([one.status, JSON.parse(String(one.body)).error], [400, 'BAD_EVENTS'])
  await unharmed(relais)
  const line = `e=t,sid="a",v=2,x="${'x'.repeat(1000)}"\n`
  assert.equal((await post(relais, line.repeat(Math.floor(KIB_64 / line.length)))).status, 204)
  assert.equal((await relais.stats()).cmcd.events, Math.floor(KIB_64 / line.length))
})

test('events that are malformed are 400, whatever they are made of', async (t) => {
  const relais = await open(t)
  for (const body of [
    '\n\n\n',
    '\0\0\0',
    '{"e":"t","sid":"a"}',
    '<events/>',
    'e=t;sid=a',
    'e="t',
    'e=(t',
    'e=t,e=,v=2',
    'e=t,v=9',
    'e=1,v=2',
    `e="${'t'.repeat(65)}",v=2`,
    '%65=t,v=2',
    'e=t,v=2,__proto__=1,constructor=(',
    '\ufeff\ufeff',
    'é=t',
    '('.repeat(KIB_64),
    ','.repeat(KIB_64),
    '"'.repeat(KIB_64),
  ]) {
    const answer = await post(relais, body)
    const { error } = JSON.parse(String(answer.body))
    assert.deepEqual([answer.status, error], [400, 'BAD_EVENTS'], JSON.stringify(body.slice(0, 40)))
  }
  await unharmed(relais)
})

test('one bad line costs nobody the good ones, whatever stands in it', () => {
  const line = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\n'))
  fc.assert(
    fc.property(line, line, (before, after) => {
      const { events } = readEvents(`${before}\ne=t,sid="good",v=2\n${after}`)
      assert.ok(events.some(({ sid }) => sid === 'good'))
    }),
  )
})

test('ten thousand sessions of garbage, each as long as may be, leave no more behind than their names', async () => {
  const clock = testClock()
  const audience = new Audience(new Streams(), clock.now)
  const connection = { once: () => undefined }
  const told = { outcome: 'miss', fwd: 'uri-miss', head: undefined } as const
  const heapBytes = (): number => {
    setFlagsFromString('--expose-gc')
    runInNewContext('gc')()
    return getHeapStatistics().used_heap_size
  }
  const before = heapBytes()
  for (let count = 0; count < 10_000; count++) {
    // Not one of them is escaped, and each is a text of its own: what is cut from it would keep all of it.
    const cmcd = `cid="content-of-${count}-${'c'.repeat(100)}",sid="session-${count}-${'s'.repeat(40)}",x="${'x'.repeat(7_000)}"`
    const fields = { 'cmcd-session': Buffer.from(cmcd).toString('latin1') }
    audience.answered(
      connection,
      { method: 'GET', target: `/nowhere/${count}.ts`, fields },
      told,
      clock.now(),
    )
    if (count % 500 === 499) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(1_000)
    }
  }
  assert.equal(audience.cmcd().sessions, 10_000)
  const grownBytes = heapBytes() - before
  // All that came are seventy million bytes.
  assert.ok(grownBytes < 20_000_000, `${grownBytes} bytes more`)
  clock.advance(11 * 60_000)
  assert.equal(audience.cmcd().sessions, 0)
})

test('two thousand hints of garbage cost the origin no more than is set aside for it', async (t) => {
  const relais = await open(t)
  await get(`${relais.url}/a.ts`)
  const before = (await relais.stats()).memory.entries
  for (let count = 0; count < 40; count++) {
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const cmcd = `nor="%FF%00..%2F%2F${count}",nrr="9-1",sid="${count}-${index}-\u007f",su=7`
        return get(`${relais.url}/a.ts?CMCD=${encodeURIComponent(cmcd)}`)
      }),
    )
  }
  await until(async () => (await relais.stats()).fills === 0, 'nothing is under way')
  const { memory, origin, prefetch } = await relais.stats()
  assert.deepEqual([memory.entries, origin.requests, prefetch.sent], [before, 1, 0])
})
