/** What a sibling has for one viewer is handed on as it comes; each law that holds for fills holds for it. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get, type Response } from '../support/client.ts'
import { type Handler, openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openSiblings, type SiblingsOptions, type TestSibling } from '../support/relais-siblings.ts'
import { openViewer } from '../support/viewer.ts'
import { openWire } from '../support/wire.ts'

const KEPT = { 'cache-control': 'max-age=600', 'content-type': 'video/mp2t', etag: '"one"' }

interface Pair {
  readonly origin: TestOrigin
  readonly asker: TestSibling
  readonly owner: TestSibling
  /** Another one at each call. */
  readonly target: () => string
}

async function pair(
  t: TestContext,
  handler: Handler = (_, response) => reply(response, 'a body', KEPT),
  options: SiblingsOptions = {},
): Promise<Pair> {
  const origin = await openOrigin(t, handler)
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [origin.url], ...options })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  let count = 0
  return { origin, asker, owner, target: () => ownedBy(owner, origin.url, `-${count++}.ts`) }
}

/** What each request came to, and the bytes that the log says were handed over. */
function told(node: TestSibling): readonly Record<string, unknown>[] {
  return node.log.filter(({ msg, peer }) => msg === 'request' && peer === undefined)
}

async function quiet(node: TestSibling): Promise<void> {
  await until(async () => {
    const { fills, waiting, viewers } = await node.stats()
    return fills === 0 && waiting === 0 && viewers === 0
  }, `${node.id} is quiet`)
}

async function addsUp(node: TestSibling, requests: number): Promise<void> {
  await quiet(node)
  const { requests: counted, bytes, routes } = await node.stats()
  const lines = told(node)
  assert.equal(lines.length, requests, 'one line a request')
  assert.equal(counted.total, requests, 'one outcome a request')
  const logged = lines.reduce((sum, line) => sum + Number(line['bytes']), 0)
  assert.equal(bytes.toViewers, logged, 'the bytes of /stats are those of the log')
  assert.equal(routes[0]?.bytesToViewers, logged)
}

test('what passes is counted and logged once', async (t) => {
  const { asker, owner, target } = await pair(t)
  const wanted = target()
  await get(owner.url + wanted)
  const answer = await get(asker.url + wanted)
  assert.equal(answer.body.toString(), 'a body')
  await addsUp(asker, 1)
  assert.equal((await asker.stats()).requests.miss, 1)
  assert.equal((await asker.stats()).bytes.toViewers, 6)
})

test('what is handed over is counted and logged once', async (t) => {
  const late = barrier()
  const { origin, asker, target } = await pair(t, async (_, response) => {
    await late.opened
    reply(response, 'a body', KEPT)
  })
  const answer = get(asker.url + target())
  await origin.reached(1)
  // Longer than is usual of a sibling that nothing is known of.
  const begun = performance.now()
  await until(() => performance.now() - begun > 150, 'it is late')
  late.open()
  assert.equal((await answer).body.toString(), 'a body')
  await addsUp(asker, 1)
  assert.equal((await asker.stats()).bytes.toViewers, 6)
})

test('a viewer who leaves before the head is counted and logged as well', async (t) => {
  const late = barrier()
  const { origin, asker, target } = await pair(t, async (_, response) => {
    await late.opened
    reply(response, 'a body', KEPT)
  })
  const viewer = openViewer(asker.url + target())
  viewer.answer.catch(() => undefined)
  viewer.head.catch(() => undefined)
  await origin.reached(1)
  viewer.leave()
  await until(() => told(asker).length > 0, 'it is logged')
  late.open()
  await addsUp(asker, 1)
})

test('a request behind it that ends the connection takes nothing from the one that waits', async (t) => {
  const late = barrier()
  const { origin, asker, target } = await pair(t, async (_, response) => {
    await late.opened
    reply(response, 'a body', KEPT)
  })
  const wire = await openWire(t, asker.url, `GET ${target()} HTTP/1.1\r\nhost: a\r\n\r\n`)
  await origin.reached(1)
  wire.write('GET /b.ts HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n')
  const begun = performance.now()
  await until(() => performance.now() - begun > 150, 'it is late')
  late.open()
  const all = await wire.closed
  assert.match(all, /^HTTP\/1.1 200 OK[^]*a bodyHTTP\/1.1 400/)
})


test('a viewer is not let go because the sibling falls silent in the middle', async (t) => {
  const [half, rest] = [barrier(), barrier()]
  const { asker, target } = await pair(
    t,
    async (_, response) => {
      response.writeHead(200, { ...KEPT, 'content-length': '6' })
      response.write('a b')
      half.open()
      await rest.opened
      response.end('ody')
    },
    { more: (index) => (index === 0 ? { http: { stallTimeout: 60, drainTimeout: '1s' } } : {}) },
  )
  const viewer = openViewer(asker.url + target())
  await viewer.reached(3)
  const begun = performance.now()
  await until(() => performance.now() - begun > 200, 'nothing has moved for longer than the stall timeout')
  rest.open()
  const { body, isWhole } = await viewer.answer
  assert.equal(body.toString(), 'a body')
  assert.ok(isWhole)
})

/** Answers and requests under which what passes must not differ from what is filled. */
const CASES: readonly {
  readonly name: string
  readonly fields?: Record<string, string | string[]>
  readonly status?: number
  readonly body?: string | Buffer
  readonly request?: Record<string, string>
  readonly query?: string
  readonly isChunked?: boolean
}[] = [
  { name: 'plain' },
  { name: 'without validators', fields: { etag: [] } },
  { name: 'with a weak etag', fields: { etag: 'W/"one"' } },
  { name: 'with a date', fields: { etag: [], 'last-modified': 'Sun, 01 Nov 2026 08:00:00 GMT' } },
  { name: 'with a content-encoding', fields: { 'content-encoding': 'gzip', vary: 'accept-encoding' } },
  { name: 'with Vary: Origin', fields: { vary: 'Origin' }, request: { origin: 'https://a.example' } },
  { name: 'with Vary: *', fields: { vary: '*' } },
  { name: 'with a Vary of many', fields: { vary: 'Accept-Language, X-Two' }, request: { 'x-two': 'a' } },
  { name: 'with Set-Cookie', fields: { 'set-cookie': ['a=1', 'b=2'] } },
  { name: 'for a page', request: { origin: 'https://a.example' } },
  { name: 'with a query', query: '?b=2&a=1' },
  { name: 'with CMCD in the query', query: '?CMCD=bl%3D2000%2Csid%3D%22a%22' },
  { name: 'with CMCD in the query beside others', query: '?a=1&CMCD=ot%3Dv&b=2' },
  { name: 'of CMCD in fields', request: { 'cmcd-request': 'bl=3000', 'cmcd-session': 'sid="a"' } },
  { name: 'without a byte', body: '' },
  { name: 'in chunks', isChunked: true },
  { name: 'in chunks, without a byte', isChunked: true, body: '' },
  { name: 'of a large one', body: Buffer.alloc(4 * 1024 ** 2, 'l') },
  { name: 'of a larger one', body: Buffer.alloc(4 * 1024 ** 2 + 1, 'l') },
  { name: 'private', fields: { 'cache-control': 'private' } },
  { name: 'no-store', fields: { 'cache-control': 'no-store' } },
  { name: 'no-cache', fields: { 'cache-control': 'no-cache' } },
  { name: 'of a second', fields: { 'cache-control': 'max-age=1' } },
  { name: 'without a word on its time', fields: { 'cache-control': [] } },
  { name: 'private in part', fields: { 'cache-control': 'max-age=9, private="x-mine"', 'x-mine': '1' } },
  { name: 'already old', fields: { age: '100' } },
  { name: 'of another type', fields: { 'content-type': 'text/html' } },
  { name: 'without a type', fields: { 'content-type': [] } },
  { name: 'that is a playlist', fields: { 'content-type': 'application/vnd.apple.mpegurl' }, body: '#EXTM3U\n' },
  { name: 'with many fields', fields: { 'x-a': ['1', '2'], 'content-digest': 'sha-256=:a:', link: '</x>' } },
  { name: 'with CMSD', fields: { 'cmsd-static': 'ot=v,br=1000', 'cmsd-dynamic': '"o";etp=1' } },
  { name: 'with a tag and a group', fields: { 'cache-tag': 'a,b', 'cache-groups': '"a"' } },
  { name: 'of bytes that are no ASCII', fields: { 'x-latin': '\u00e9' } },
  { name: 'of a range', request: { range: 'bytes=1-3' } },
  { name: 'of no range', request: { range: 'bytes=100-' } },
  { name: 'of who has it', request: { 'if-none-match': '"one"' } },
  { name: 'with credentials', request: { authorization: 'Basic a' } },
  { name: 'with a cookie', request: { cookie: 'a=1' } },
  { name: 'only from store', request: { 'cache-control': 'only-if-cached' } },
  { name: 'not found', status: 404 },
  { name: 'forbidden', status: 403 },
  { name: 'broken', status: 500 },
  { name: 'unavailable', status: 503, fields: { 'retry-after': '7' } },
  { name: 'too many', status: 429, fields: { 'retry-after': '7' } },
  { name: 'gone', status: 410 },
  { name: 'moved', status: 301, fields: { location: '/elsewhere.ts' } },
  { name: 'partial unasked', status: 206, fields: { 'content-range': 'bytes 0-5/6' } },
  { name: 'no content', status: 204, body: '' },
]

/** What may differ: when it was, and how long it took. */
function compared({ status, headers, body, isWhole }: Response): unknown {
  const { date: _, ...rest } = headers
  const said = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [
      name,
      String(value)
        .replaceAll(/rd=\d+/g, 'rd=…')
        .replaceAll(/node-1/g, 'node-0'),
    ]),
  )
  // The words of an error name the request.
  return { status, isWhole, bytes: status < 400 ? body.toString('base64').slice(0, 80) : '', said }
}

for (const route of [{}, { cookies: 'drop' }, { cors: 'edge' }, { ignoreQuery: ['*'] }]) {
  test(`what passes is what is filled, field by field: ${JSON.stringify(route)}`, async (t) => {
    const origin = await openOrigin(t, ({ url = '' }, response) => {
      const { fields, status, body = 'a body', isChunked } = CASES[Number(/-c(\d+)-/.exec(url)?.[1])] ?? {}
      const said = Object.fromEntries(
        Object.entries({ ...KEPT, ...fields }).filter(([, value]) => value.length > 0),
      )
      if (isChunked !== true) return reply(response, body, said, status)
      response.writeHead(200, said)
      response.write(body)
      return response.end()
    })
    const { nodes, ownedBy } = await openSiblings(t, 3, {
      origins: [origin.url],
      file: { routes: [{ prefix: '/', origins: [origin.url], ...route }] },
    })
    const [asker, filler, owner] = nodes
    assert.ok(asker && filler && owner)
    for (const [index, { name, request = {}, query = '' }] of CASES.entries()) {
      for (const way of ['cold', 'warm']) {
        const target = (from: string): string =>
          ownedBy(owner, origin.url, `-c${index}-${way}-${from}.ts`) + query
        const [one, two] = [target('one'), target('two')]
        if (way === 'warm') for (const each of [one, two]) await get(owner.url + each, { headers: request })
        const passed = await get(asker.url + one, { headers: request })
        // Who says how old it may be is answered by a fill.
        const filled = await get(filler.url + two, { headers: { 'cache-control': 'max-age=600', ...request } })
        assert.deepEqual(compared(passed), compared(filled), `${name}, ${way}`)
      }
    }
  })
}
