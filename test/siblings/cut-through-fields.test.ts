/** What passes from a sibling to a viewer is, but for the way it came, what is filled. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, type Response } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { KEPT } from '../support/passing-pair.ts'
import { openSiblings } from '../support/relais-siblings.ts'

/** Answers and requests under which what passes must not differ from what is filled. */
const CASES: readonly {
  readonly name: string
  readonly fields?: Record<string, string | string[]>
  readonly status?: number
  readonly body?: string | Buffer
  readonly request?: Record<string, string>
  readonly query?: string
  /** What of it belongs to the name. */
  readonly named?: string
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
  { name: 'with a query', query: '?b=2&a=1', named: '?a=1&b=2' },
  { name: 'with CMCD in the query', query: '?CMCD=bl%3D2000%2Csid%3D%22a%22' },
  { name: 'with CMCD in the query beside others', query: '?a=1&CMCD=ot%3Dv&b=2', named: '?a=1&b=2' },
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
  {
    name: 'that is a playlist',
    fields: { 'content-type': 'application/vnd.apple.mpegurl' },
    body: '#EXTM3U\n',
  },
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

for (const route of [
  {},
  { cookies: 'drop' },
  { cookies: 'share' },
  { cors: 'edge' },
  { ignoreQuery: ['a', 'b'] },
]) {
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
    for (const [index, { name, request = {}, query = '', named = '' }] of CASES.entries()) {
      for (const way of ['cold', 'warm']) {
        const key = 'ignoreQuery' in route ? '' : named
        const target = (from: string): string => {
          const owned = ownedBy(owner, origin.url, `-c${index}-${way}-${from}.ts${key}`)
          return owned.slice(0, owned.length - key.length) + query
        }
        const [one, two] = [target('one'), target('two')]
        if (way === 'warm') for (const each of [one, two]) await get(owner.url + each, { headers: request })
        const passed = await get(asker.url + one, { headers: request })
        // Who says how old it may be is answered by a fill.
        const filled = await get(filler.url + two, {
          headers: { 'cache-control': 'max-age=600', ...request },
        })
        assert.deepEqual(compared(passed), compared(filled), `${name}, ${way}`)
      }
    }
  })
}
