/** What is made here of an origin's text, a rewritten one, a coded one or a delta update, has a validator of its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, type Response } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

function playlist(sequence: number, host: string): string {
  const segments = Array.from({ length: 100 }, (_, at) => `#EXTINF:2,\n${host}/s${sequence + at}.ts\n`)
  return [
    '#EXTM3U',
    '#EXT-X-VERSION:9',
    '#EXT-X-TARGETDURATION:4',
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24',
    `#EXT-X-MEDIA-SEQUENCE:${sequence}`,
    segments.join(''),
  ].join('\n')
}

test('whole, rewritten, coded and skipped are four texts with four strong validators, each good for itself alone', async (t) => {
  let sequence = 10
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, playlist(sequence, origin.url), { etag: `"theirs-${sequence}"`, age: '1' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const plain = `${relais.url}/live.m3u8`
  const forms = [
    [plain, {}],
    [plain, { 'accept-encoding': 'gzip' }],
    [plain, { 'accept-encoding': 'br' }],
    [`${plain}?_HLS_skip=YES`, {}],
    [`${plain}?_HLS_skip=v2`, { 'accept-encoding': 'gzip' }],
  ] as const
  const read = (): Promise<Response[]> =>
    Promise.all(forms.map(([url, headers]) => get(url, { headers: { ...headers } })))
  await get(plain)
  const first = await read()
  const tags = first.map(({ headers }) => String(headers['etag']))
  // A delta update is too short to be coded.
  assert.equal(tags.pop(), tags.at(-1))
  assert.equal(new Set(tags).size, 4)
  for (const tag of tags) assert.match(tag, /^"[\w-]+"$/)
  assert.ok(!tags.some((tag) => tag.includes('theirs')))
  assert.match(String(first.at(-1)?.body), /#EXT-X-SKIP:SKIPPED-SEGMENTS=/)
  assert.ok(!String(first.at(-1)?.body).includes(origin.url))
  for (const [url, headers] of forms.slice(0, 4)) {
    for (const [index, tag] of tags.entries()) {
      const answer = await get(url, { headers: { ...headers, 'if-none-match': tag } })
      const isOwn = forms[index]?.[0] === url && forms[index]?.[1] === headers
      assert.equal(answer.status, isOwn ? 304 : 200, `${url} ${JSON.stringify(headers)} ${tag}`)
      assert.equal(answer.headers['cache-control'], 'max-age=2', 'no browser keeps it for longer than we do')
      assert.equal(answer.headers['age'], '1')
      if (isOwn) assert.equal(answer.headers['etag'], tag)
      if (isOwn) assert.equal(answer.body.byteLength, 0)
    }
  }
  for (const [index, [url, headers]] of forms.slice(0, 3).entries()) {
    const head = await get(url, { method: 'HEAD', headers: { ...headers } })
    const whole = first[index]
    assert.deepEqual(
      [head.headers['etag'], head.headers['content-length'], head.headers['content-encoding']],
      [whole?.headers['etag'], whole?.headers['content-length'], whole?.headers['content-encoding']],
    )
  }
  assert.equal(origin.count(), 1)
  sequence = 11
  relais.clock.advance(5_000)
  await get(plain)
  const next = await read()
  for (const [index, { headers }] of next.entries())
    assert.notEqual(headers['etag'], tags[Math.min(index, 3)])
})
