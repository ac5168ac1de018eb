/** Siblings that lie, hang or talk nonsense: nothing of it is stored, and every viewer gets what the origin has. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { rank, wordsOf } from '../../src/siblings/rendezvous.ts'
import { memberOf } from '../../src/siblings/roster.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openRawSibling, type RawSibling } from '../support/raw-sibling.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'

const SECRET = 'a secret that is long enough for siblings'
const BODY = 'the body of the origin'
const FIELDS = { 'cache-control': 'max-age=600', etag: '"true"', 'accept-ranges': 'bytes' }
const AGE = 'relais-age: 0\r\n'

interface Play {
  readonly origin: TestOrigin
  readonly relais: TestRelais
  readonly liar: RawSibling
  /** Owned by the liar. */
  readonly target: string
}

/** One Relais, and a sibling that says what the test likes. */
async function play(
  t: TestContext,
  answer: (socket: Socket, head: string, nth: number) => unknown,
): Promise<Play> {
  const origin = await openOrigin(t, (request, response) => {
    const [, first] = /^bytes=(\d+)-/.exec(request.headers.range ?? '') ?? []
    if (first === undefined) return reply(response, BODY, FIELDS)
    const range = { 'content-range': `bytes ${first}-${BODY.length - 1}/${BODY.length}` }
    reply(response, BODY.slice(Number(first)), { ...FIELDS, ...range }, 206)
  })
  const clock = testClock()
  const liar = await openRawSibling(t, 'liar', SECRET, clock.now, answer)
  const opened: TestRelais[] = []
  // It goes when its siblings know.
  t.after(() =>
    Promise.all(
      opened.map(({ close, peerUrl = '' }) =>
        Promise.all([close(), liar.greet(peerUrl).catch(() => undefined)]),
      ),
    ),
  )
  const relais = await openTestRelais(t, {
    origins: [origin.url],
    clock,
    pulse: () => () => undefined,
    file: {
      node: 'honest',
      slices: { bytes: 64 * 1024, above: 64 * 1024 },
      cluster: {
        secret: SECRET,
        listen: { host: '127.0.0.1', port: 0 },
        siblings: [{ id: 'liar', url: liar.url }],
      },
    },
  })
  assert.equal((await relais.stats()).siblings[0]?.state, 'active')
  opened.push(relais)
  const members = ['honest', 'liar'].map((id) => memberOf({ id, url: '' }))
  let target = '/segment.ts'
  for (let index = 0; rank(members, wordsOf(origin.url + target))[0]?.id !== 'liar'; index++)
    target = `/segment-${index}.ts`
  return { origin, relais, liar, target }
}

const LIES: readonly (readonly [string, string])[] = [
  ['sends garbage', 'nonsense\r\n\r\n'],
  ['sends two lengths', `HTTP/1.1 200 OK\r\n${AGE}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`],
  [
    'answers 206 to a request for the whole',
    `HTTP/1.1 206 OK\r\n${AGE}content-range: bytes 0-4/9\r\ncontent-length: 5\r\n\r\nhello`,
  ],
  ['answers 304 to a request without a condition', `HTTP/1.1 304 Not Modified\r\n${AGE}etag: "one"\r\n\r\n`],
  ['has a head without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`],
  [
    'is of another release',
    'HTTP/1.1 409 Conflict\r\nrelais-error: incompatible\r\ncontent-length: 0\r\n\r\n',
  ],
  ['takes us for no sibling', 'HTTP/1.1 403 Forbidden\r\nrelais-error: refused\r\ncontent-length: 0\r\n\r\n'],
  ['has no such route', 'HTTP/1.1 404 Not Found\r\nrelais-error: unknown-route\r\ncontent-length: 0\r\n\r\n'],
  ['has too much to do', 'HTTP/1.1 503 No\r\nrelais-error: shed\r\ncontent-length: 0\r\n\r\n'],
  ['says what nobody knows', 'HTTP/1.1 500 No\r\nrelais-error: nonsense\r\ncontent-length: 0\r\n\r\n'],
  ['has a fault of its own', 'HTTP/1.1 500 No\r\nrelais-error: INTERNAL\r\ncontent-length: 0\r\n\r\n'],
]

for (const [what, bytes] of LIES) {
  test(`a sibling that ${what} is not believed, and the origin is asked`, async (t) => {
    const { origin, relais, liar, target } = await play(t, (socket) => socket.end(bytes))
    const answer = await get(relais.url + target)
    assert.equal(answer.body.toString(), BODY)
    assert.ok(liar.asked >= 1)
    assert.equal(origin.count(), 1)
    const [sibling] = (await relais.stats()).siblings
    assert.deepEqual([sibling?.answered, sibling?.failed], [0, 1])
  })
}

test('another release is said once in the log, and asked again only after a while', async (t) => {
  const refusal = 'HTTP/1.1 409 Conflict\r\nrelais-error: incompatible\r\ncontent-length: 0\r\n\r\n'
  const { relais, liar, target } = await play(t, (socket) => socket.write(refusal))
  for (let count = 0; count < 3; count++) {
    await get(relais.url + target)
    relais.clock.advance(11_000)
    relais.clock.advance(600_000)
  }
  const lines = relais.log.filter(({ msg }) => String(msg).includes('another release'))
  assert.equal(lines.length, 1)
  assert.equal(liar.asked, 3)
})

test('a body shorter than it was told goes on at the origin where that has the same one', async (t) => {
  const { relais, target } = await play(t, (socket) => {
    const fields = `etag: "true"\r\ncache-control: max-age=600\r\ncontent-length: ${BODY.length}\r\n`
    socket.end(`HTTP/1.1 200 OK\r\n${AGE}${fields}\r\n${BODY.slice(0, 8)}`)
  })
  const answer = await get(relais.url + target)
  assert.ok(answer.isWhole)
  assert.equal(answer.body.toString(), BODY)
})

test('a body of another validator breaks off as it came, and nothing of it is stored', async (t) => {
  const { relais, target } = await play(t, (socket) => {
    const fields = 'etag: "a lie"\r\ncache-control: max-age=600\r\ncontent-length: 22\r\nrelais-rate: 9\r\n'
    socket.end(`HTTP/1.1 200 OK\r\n${AGE}${fields}\r\nthe body of`)
  })
  const answer = await get(relais.url + target)
  assert.equal(answer.isWhole, false)
  assert.equal((await relais.stats()).memory.entries, 0)
})

test('more bytes than were told are no part of the body', async (t) => {
  const { relais, target } = await play(t, (socket) => {
    const fields = 'etag: "true"\r\ncache-control: max-age=600\r\ncontent-length: 8\r\n'
    socket.write(`HTTP/1.1 200 OK\r\n${AGE}${fields}\r\n${BODY.slice(0, 8)} and more than that`)
  })
  const answer = await get(relais.url + target)
  assert.equal(answer.body.toString(), BODY.slice(0, 8))
})

test('a manifest that breaks off is asked of the origin, and no viewer sees a half of it', async (t) => {
  const { origin, relais } = await play(t, (socket) => {
    const fields = 'content-type: application/vnd.apple.mpegurl\r\nrelais-whole: 1\r\ncontent-length: 400\r\n'
    socket.end(`HTTP/1.1 200 OK\r\n${AGE}${fields}\r\n#EXTM3U\n#EXT-X-TARGETDURATION:4\n`)
  })
  const manifest = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n'
  origin.answer((_, response) =>
    reply(response, manifest, { 'content-type': 'application/vnd.apple.mpegurl' }),
  )
  const members = ['honest', 'liar'].map((id) => memberOf({ id, url: '' }))
  const index = [...Array(64).keys()].find(
    (one) => rank(members, wordsOf(`${origin.url}/list-${one}.m3u8`))[0]?.id === 'liar',
  )
  const answer = await get(`${relais.url}/list-${index}.m3u8`)
  assert.equal(answer.body.toString(), manifest)
  assert.equal((await relais.stats()).siblings[0]?.asked, 1)
})

test('a slice of something else than was begun with is not believed, and the origin has the true one', async (t) => {
  const SLICE = 64 * 1024
  const BLOCK = 8 * 1024 * 1024
  const film = Buffer.alloc(BLOCK + 2 * SLICE, 1)
  const { origin, relais, liar } = await play(t, (socket) => {
    const fields = `etag: "a lie"\r\ncontent-range: bytes ${BLOCK}-${BLOCK + SLICE - 1}/${film.byteLength}\r\n`
    socket.write(`HTTP/1.1 206 OK\r\n${AGE}${fields}content-length: ${SLICE}\r\n\r\n`)
    socket.write(Buffer.alloc(SLICE, 2))
  })
  origin.answer((request, response) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const end = Math.min(Number(last), film.byteLength - 1)
    const range = { 'content-range': `bytes ${first}-${end}/${film.byteLength}` }
    reply(response, film.subarray(Number(first), end + 1), { ...FIELDS, ...range }, 206)
  })
  const members = ['honest', 'liar'].map((id) => memberOf({ id, url: '' }))
  const ownerOf = (key: string): string | undefined => rank(members, wordsOf(key))[0]?.id
  const index = [...Array(256).keys()].find((one) => {
    const key = `${origin.url}/film-${one}.mp4`
    return ownerOf(key) === 'honest' && ownerOf(`${key} block 1`) === 'liar'
  })
  const url = `${relais.url}/film-${index}.mp4`
  assert.equal((await get(url, { headers: { range: 'bytes=0-9' } })).body[0], 1)
  const asked = { range: `bytes=${BLOCK}-${BLOCK + 99}` }
  for (const answer of [await get(url, { headers: asked }), await get(url, { headers: asked })]) {
    assert.equal(answer.status, 206)
    assert.ok(answer.body.equals(Buffer.alloc(100, 1)))
  }
  assert.equal(liar.asked, 1)
  assert.equal(origin.count(), 2)
})
