/** Collapse across the cluster: what everybody wants at once the origin is asked for once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openSiblings } from '../support/relais-siblings.ts'

const KEPT = { 'cache-control': 'max-age=600', etag: '"one"' }
const HALF = Buffer.alloc(32 * 1024, 7)

test('1,000 viewers at four nodes and one cold segment: one origin request, and all read it while it comes', async (t) => {
  const everyoneReads = barrier()
  const origin = await openOrigin(t, async (_, response) => {
    response.writeHead(200, { ...KEPT, 'content-length': String(2 * HALF.byteLength) })
    response.write(HALF)
    await everyoneReads.opened
    response.end(HALF)
  })
  const { nodes } = await openSiblings(t, 4, { origins: [origin.url] })
  let reading = 0
  const answers = nodes.flatMap((node) =>
    Array.from({ length: 250 }, () => {
      let bytes = 0
      const onData = (chunk: Buffer): void => {
        if (bytes < HALF.byteLength && bytes + chunk.byteLength >= HALF.byteLength) reading++
        bytes += chunk.byteLength
      }
      return get(`${node.url}/segment.m4s`, { onData })
    }),
  )
  await until(() => reading === 1000, 'all read the first half', 60_000)
  everyoneReads.open()
  for (const answer of await Promise.all(answers)) {
    assert.equal(answer.status, 200)
    assert.equal(answer.body.byteLength, 2 * HALF.byteLength)
    assert.ok(answer.isWhole)
  }
  assert.equal(origin.count(), 1)
})

test('a 404 that all nodes are asked for is one request to the origin', async (t) => {
  const origin = await openOrigin(t, (_, response) =>
    reply(response, 'no', { 'cache-control': 'max-age=1' }, 404),
  )
  const { nodes } = await openSiblings(t, 4, { origins: [origin.url] })
  const answers = await Promise.all(nodes.map((node) => get(`${node.url}/segment.m4s`)))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [404, 404, 404, 404],
  )
  assert.equal(origin.count(), 1)
})

test('each slice of a film is asked of the origin once, whoever reads it where', async (t) => {
  const film = Buffer.from(Array.from({ length: 20 * 64 * 1024 }, (_, index) => (index >> 8) % 251))
  const origin = await openOrigin(t, (request, response) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const end = Math.min(Number(last ?? film.byteLength - 1), film.byteLength - 1)
    const range = { 'content-range': `bytes ${first}-${end}/${film.byteLength}`, 'accept-ranges': 'bytes' }
    if (first === undefined) reply(response, film, { ...KEPT, 'accept-ranges': 'bytes' })
    else reply(response, film.subarray(Number(first), end + 1), { ...KEPT, ...range }, 206)
  })
  const file = { slices: { bytes: 64 * 1024, above: 64 * 1024 } }
  const { nodes } = await openSiblings(t, 3, { origins: [origin.url], file })
  const answers = await Promise.all(
    nodes.flatMap((node) => [
      get(`${node.url}/film.mp4`),
      get(`${node.url}/film.mp4`, { headers: { range: 'bytes=500000-900000' } }),
    ]),
  )
  for (const answer of answers)
    assert.ok(answer.body.equals(answer.status === 206 ? film.subarray(500_000, 900_001) : film))
  const ranges = origin.asked.map(({ headers }) => headers.range)
  assert.deepEqual([...new Set(ranges)].length, ranges.length, `asked twice: ${ranges}`)
  assert.equal(ranges.length, 20)
})
