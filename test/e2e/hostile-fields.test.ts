/** Origins and viewers whose fields are wild: every request has an answer, and none is answered with what was not for it. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type GetOptions, get } from '../support/client.ts'
import { linesOf, valuesOf } from '../support/field-values.ts'
import { openOrigin, reply } from '../support/origin.ts'
import fc from '../support/properties.ts'
import { openRawOrigin } from '../support/raw-origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

const KB = 1024
const RUNS = 150
const SAID = [
  'cache-control',
  'cdn-cache-control',
  'vary',
  'age',
  'date',
  'expires',
  'last-modified',
  'content-range',
  'etag',
  'connection',
] as const
const ASKED = ['range', 'if-range', 'if-none-match', 'cache-control', 'connection', 'vary', 'age'] as const

type Lines = readonly (readonly [string, string])[]

/** Lines as they can stand on the wire, so that nothing is cut in two by what it holds. */
function lines(names: readonly string[]): fc.Arbitrary<Lines> {
  const some = names.map((name) =>
    fc
      .option(linesOf(name), { nil: undefined })
      .map((value) =>
        [value ?? []].flat().map((one) => [name, one.replace(/[^\t -~\xa0-\xff]/g, '')] as const),
      ),
  )
  return fc.tuple(...some).map((all) => all.flat())
}

/**
 * An origin that answers every request with its path, a number nobody else gets, and the lines it is told to send;
 * when it `isLast`, every answer is the last one of its connection.
 */
async function open(
  t: TestContext,
  isLast = false,
): Promise<{ relais: TestRelais; says: Map<string, string>; asked: () => number }> {
  const says = new Map<string, string>()
  const origin = await openRawOrigin(t, (socket, head, nth) => {
    const path = head.split(' ', 2)[1] ?? ''
    const body = `${path}#${nth}`
    socket.write(
      `HTTP/1.1 200 OK\r\n${says.get(path)}content-length: ${body.length}\r\n\r\n${body}`,
      'latin1',
    )
    if (isLast) socket.end()
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  return { relais, says, asked: () => origin.requests }
}

function written(all: Lines): string {
  return all.map(([name, value]) => `${name}: ${value}\r\n`).join('')
}

/** Whether a plain reading of the lines, without quotes and targeted fields, says so. */
function saysPlainly(all: Lines, field: string, word: string): boolean {
  return all.some(
    ([name, value]) =>
      name === field &&
      value
        .toLowerCase()
        .split(',')
        .some((member) => member.trim() === word),
  )
}

function hasQuotes(all: Lines): boolean {
  return all.some(([name, value]) => name === 'cache-control' && value.includes('"'))
}

test('whatever an origin says, nobody is answered with what was for another, and no-store, private and Vary: * hold', async (t) => {
  const { relais, says, asked } = await open(t)
  let round = 0
  await fc.assert(
    fc.asyncProperty(lines(SAID), async (said) => {
      const path = `/${++round}.ts`
      says.set(path, written(said))
      const shown = JSON.stringify(said)
      const numbers: string[] = []
      for (let time = 0; time < 3; time++) {
        const before = asked()
        const { status, body, headers, isWhole } = await get(relais.url + path)
        assert.ok(isWhole, shown)
        if (status !== 200) {
          assert.equal(status, 502, shown)
          assert.match(String(headers['proxy-status']), /^test;error=/)
          continue
        }
        const [, from, nth = ''] = /^(.*)#(\d+)$/.exec(String(body)) ?? []
        assert.equal(from, path, shown)
        numbers.push(nth)
        // An answer says whether it was asked for, and it was when it says so.
        const isHit = /; hit/.test(String(headers['cache-status']))
        if (!isHit) assert.ok(asked() > before, shown)
        if (time === 1) relais.clock.advance(500)
      }
      const isTargeted = said.some(([name]) => name === 'cdn-cache-control')
      const isUnshared =
        !isTargeted &&
        !hasQuotes(said) &&
        (saysPlainly(said, 'cache-control', 'no-store') || saysPlainly(said, 'cache-control', 'private'))
      if (isUnshared || saysPlainly(said, 'vary', '*')) {
        assert.equal(new Set(numbers).size, numbers.length, `${numbers} for ${shown}`)
      }
    }),
    { numRuns: RUNS },
  )
  await settled(relais)
})

test('whatever a viewer asks with, the answer is one of HTTP and of its own path, and the origin gets no field of the connection', async (t) => {
  const origin = await openOrigin(t, (request, response) =>
    reply(response, `${request.url}#`.padEnd(500, '.'), { 'cache-control': 'max-age=60', etag: '"1"' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  let round = 0
  await fc.assert(
    fc.asyncProperty(lines(ASKED), fc.boolean(), async (asked, isStored) => {
      const path = isStored ? '/stored.ts' : `/${++round}.ts`
      const headers: Record<string, string[]> = {}
      for (const [name, value] of asked) headers[name] = [...(headers[name] ?? []), value]
      // Its type knows single values only; Node writes a line for each.
      const options = { headers } as unknown as GetOptions
      const { status, body, isWhole, headers: said } = await get(relais.url + path, options)
      const shown = `${path} ${JSON.stringify(asked)}`
      assert.ok([200, 206, 304, 400, 416, 504].includes(status), `${status} for ${shown}`)
      assert.ok(isWhole, shown)
      const whole = `${path}#`.padEnd(500, '.')
      if (status === 200) assert.equal(String(body), whole)
      if (status === 206 && said['content-range'] !== undefined) {
        const [, first, last] = /^bytes (\d+)-(\d+)\/500$/.exec(said['content-range']) ?? []
        assert.equal(String(body), whole.slice(Number(first), Number(last) + 1), shown)
      }
    }),
    { numRuns: RUNS },
  )
  for (const { headers } of origin.asked) {
    assert.equal(headers.te, undefined)
    assert.equal(headers.upgrade, undefined)
    assert.ok(headers.connection === undefined || headers.connection === 'keep-alive')
  }
  await settled(relais)
})

test('an origin whose head is torn by control characters costs that answer and nothing else', async (t) => {
  const { relais, says } = await open(t, true)
  let round = 0
  const wild = fc.tuple(
    fc.constantFrom(...SAID),
    fc.constantFrom('\r', '\n', '\0', '\r\n', '\r\n\r\n', '\x0b'),
  )
  await fc.assert(
    fc.asyncProperty(wild, valuesOf('cache-control'), fc.nat(20), async ([name, torn], text, at) => {
      const path = `/${++round}.ts`
      says.set(path, `${name}: ${text.slice(0, at)}${torn}${text.slice(at)}\r\n`)
      const answer = await get(relais.url + path).catch(() => undefined) // a head that ends early may be cut off
      if (answer?.status === 502) assert.match(String(answer.headers['proxy-status']), /^test;error=/)
    }),
    { numRuns: 60 },
  )
  says.set('/sound.ts', 'cache-control: max-age=60\r\n')
  assert.match(String((await get(`${relais.url}/sound.ts`)).body), /^\/sound\.ts#/)
  await settled(relais)
})

test('a thousand cookies reach the one they were set for, each on its line, and nobody else', async (t) => {
  const cookies = Array.from({ length: 1000 }, (_, nth) => `c${nth}=${nth}; Path=/`)
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { 'set-cookie': cookies, 'cache-control': 'max-age=60', 'content-length': '1' })
    response.end('x')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (let time = 1; time <= 2; time++) {
    const { headers, body } = await openViewer(`${relais.url}/a.ts`).answer
    assert.deepEqual(headers['set-cookie'], cookies)
    assert.equal(String(body), 'x')
    assert.equal(origin.count(), time)
  }
  // What is for everyone is stored without them: they were set for the one who asked.
  origin.answer((_request, response) => {
    const shared = { 'set-cookie': cookies, 'cache-control': 'public, max-age=60', 'content-length': '1' }
    response.writeHead(200, shared).end('y')
  })
  const first = await openViewer(`${relais.url}/b.ts`).answer
  const second = await openViewer(`${relais.url}/b.ts`).answer
  assert.deepEqual(first.headers['set-cookie'], cookies)
  assert.equal(second.headers['set-cookie'], undefined)
  for (const { body } of [first, second]) assert.equal(String(body), 'y')
  assert.equal(origin.count('/b.ts'), 1)
  assert.equal((await settled(relais)).memory.entries, 1)
})

test('a head of nearly 64 KB is passed on and stored as it came, and a larger one is an error of the origin', async (t) => {
  let size = 63 * KB
  const origin = await openOrigin(t, (_request, response) => {
    const fields: Record<string, string> = { 'cache-control': 'max-age=60', 'content-length': '1' }
    for (let left = size, nth = 0; left > 0; left -= KB, nth++) {
      fields[`x-${String(nth).padStart(3, '0')}`] = 'f'.repeat(KB - 'x-000: \r\n'.length)
    }
    response.writeHead(200, fields).end('x')
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (let time = 0; time < 3; time++) {
    const { status, headers } = await openViewer(`${relais.url}/a.ts`).answer
    assert.equal(status, 200)
    for (let nth = 0; nth < 63; nth++)
      assert.equal(headers[`x-${String(nth).padStart(3, '0')}`]?.length, 1015)
  }
  assert.equal(origin.count(), 1)
  size = 66 * KB
  const { status, headers } = await openViewer(`${relais.url}/b.ts`).answer
  assert.equal(status, 502)
  assert.match(String(headers['proxy-status']), /error=http_response_header_section_size/)
  const { memory } = await settled(relais)
  assert.equal(memory.entries, 1)
  assert.ok(memory.bytes >= 63 * KB, 'what a head takes is counted')
})
