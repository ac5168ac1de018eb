/** Manifests that a sibling hands out: in our words already, the same on every node, and known to who asked. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openSiblings, type TestSibling } from '../support/relais-siblings.ts'

const TYPE = { 'content-type': 'application/vnd.apple.mpegurl' }

function live(sequence: number, base: string): string {
  const segments = [0, 1, 2].flatMap((index) => ['#EXTINF:4,', `${base}${sequence + index}.ts`])
  return ['#EXTM3U', '#EXT-X-TARGETDURATION:4', `#EXT-X-MEDIA-SEQUENCE:${sequence}`, ...segments, ''].join(
    '\n',
  )
}

interface Scene {
  readonly origin: TestOrigin
  readonly asker: TestSibling
  readonly owner: TestSibling
  readonly target: string
  readonly advance: (ms: number) => void
}

/** The origin's files lie in another place than viewers ask for them. */
async function open(
  t: TestContext,
  more?: (index: number, urls: readonly string[]) => Record<string, unknown>,
): Promise<Scene> {
  const origin = await openOrigin(t, (_, response) =>
    reply(response, live(10, '/files/tv/'), { ...TYPE, etag: '"1"' }),
  )
  const clock = testClock()
  const { nodes, ranked } = await openSiblings(t, 2, {
    clock,
    file: { routes: [{ prefix: '/tv/', origins: [`${origin.url}/files/tv/`] }] },
    ...(more === undefined ? {} : { more }),
  })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  const index = [...Array(64).keys()].find(
    (one) => ranked(`${origin.url}/files/tv/list-${one}.m3u8`)[0] === owner,
  )
  return { origin, asker, owner, target: `/tv/list-${index}.m3u8`, advance: clock.advance }
}

test('a playlist is the same on every node, to the byte and the validator, for one request to the origin', async (t) => {
  const { origin, asker, owner, target } = await open(t)
  const [one, other] = [await get(asker.url + target), await get(owner.url + target)]
  assert.equal(one.body.toString(), live(10, '/tv/'))
  assert.equal(one.body.toString(), other.body.toString())
  assert.equal(one.headers['etag'], other.headers['etag'])
  assert.equal(one.headers['cache-control'], other.headers['cache-control'])
  assert.equal(origin.count(), 1)
})

test('who got it of a sibling knows the stream as well, and keeps the playlist as long as its owner does', async (t) => {
  const { origin, asker, owner, target, advance } = await open(t)
  await get(owner.url + target)
  advance(1_500)
  await get(asker.url + target)
  const [stream] = (await asker.stats()).streams
  assert.equal(stream?.manifest, target)
  // Half a target duration in all, whoever asks: 500 ms of it are left.
  advance(499)
  assert.match(String((await get(asker.url + target)).headers['cache-status']), /node-0; hit/)
  advance(1)
  origin.answer((_, response) => reply(response, live(11, '/files/tv/'), { ...TYPE, etag: '"2"' }))
  assert.equal((await get(asker.url + target)).body.toString(), live(11, '/tv/'))
  assert.equal(origin.count(), 2)
})

test('a playlist that did not change is confirmed by the origin once, and by the owner to the others', async (t) => {
  const { origin, asker, owner, target, advance } = await open(t)
  origin.answer((request, response) => {
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304, { etag: '"1"' }).end()
    else reply(response, live(10, '/files/tv/'), { ...TYPE, etag: '"1"' })
  })
  await get(asker.url + target)
  advance(2_001)
  const answer = await get(asker.url + target)
  assert.match(String(answer.headers['cache-status']), /node-0; fwd=stale; fwd-status=304/)
  await get(owner.url + target)
  assert.deepEqual(
    origin.asked.map(({ headers }) => headers['if-none-match']),
    [undefined, '"1"'],
  )
})

test('an address that has to be absolute names the node that the viewer came to', async (t) => {
  const asset =
    '#EXT-X-DATERANGE:ID="ad",CLASS="com.apple.hls.interstitial",START-DATE="2026-01-01T00:00:00Z",X-ASSET-URI='
  const publicUrlOf = (index: number): string => `https://node-${index}.example`
  const { origin, asker, owner, target } = await open(t, (index, urls) => ({
    addresses: { publicUrl: publicUrlOf(index) },
    cluster: {
      siblings: urls.map((url, other) => ({ id: `node-${other}`, url, publicUrl: publicUrlOf(other) })),
    },
  }))
  origin.answer((_, response) =>
    reply(response, `${live(10, '')}${asset}"${origin.url}/files/tv/ad.m3u8"\n`, TYPE),
  )
  assert.match(
    (await get(owner.url + target)).body.toString(),
    /X-ASSET-URI="https:\/\/node-1\.example\/tv\/ad\.m3u8"/,
  )
  assert.match(
    (await get(asker.url + target)).body.toString(),
    /X-ASSET-URI="https:\/\/node-0\.example\/tv\/ad\.m3u8"/,
  )
})

test('where a redirect leads is led to us once', async (t) => {
  const { origin, asker, owner, target } = await open(t)
  origin.answer((_, response) => reply(response, '', { location: '/files/tv/other.m3u8' }, 302))
  assert.equal((await get(owner.url + target)).headers['location'], '/tv/other.m3u8')
  assert.equal((await get(asker.url + target)).headers['location'], '/tv/other.m3u8')
})

test('texts are compressed by the node that the viewer came to', async (t) => {
  const { origin, asker, target } = await open(t)
  origin.answer((_, response) => reply(response, live(10, '/files/tv/').padEnd(4_000, '\n'), TYPE))
  const answer = await get(asker.url + target, { headers: { 'accept-encoding': 'gzip' } })
  assert.equal(answer.headers['content-encoding'], 'gzip')
  assert.equal(origin.count(), 1)
})
