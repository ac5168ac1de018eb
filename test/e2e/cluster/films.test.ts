/** A film at several nodes is byte for byte the film at one, however it is asked for, and whoever dies meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, type Response } from '../../support/client.ts'
import { openCluster } from '../../support/cluster.ts'
import { filmBytes, MIB, openFilmOrigin } from '../../support/film.ts'
import { partsOf } from '../../support/multipart.ts'
import { openViewer } from '../../support/viewer.ts'

/** Processes and a busy machine: what is tried here is not how fast it is. */
const PATIENCE = { timeout: 400_000 }
/** Blocks of several owners, and one that is not whole. */
const SIZE = 40 * MIB + 12_345
const MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT'
const FIELDS = { 'cache-control': 'max-age=3600', 'last-modified': MODIFIED }
const LATER = 'Fri, 02 Jan 2026 00:00:00 GMT'

interface Ask {
  readonly method?: string
  readonly headers: Record<string, string>
}

const ASKS: Readonly<Record<string, Ask>> = {
  'the first byte': { headers: { range: 'bytes=0-0' } },
  'the last bytes': { headers: { range: 'bytes=-5' } },
  'over the border of two owners': { headers: { range: `bytes=${8 * MIB - 100}-${8 * MIB + 99}` } },
  'from the middle to the end': { headers: { range: `bytes=${20 * MIB + 1}-` } },
  'beyond the end': { headers: { range: `bytes=${SIZE}-` } },
  'more than there is': { headers: { range: `bytes=${SIZE - 9}-${SIZE + 9}` } },
  'three ranges of three owners': { headers: { range: `bytes=0-9, ${17 * MIB}-${17 * MIB + 9}, -7` } },
  'another unit': { headers: { range: 'lines=1-2' } },
  'the whole': { headers: {} },
  'If-Range that holds': { headers: { range: `bytes=${9 * MIB}-${9 * MIB + 9}`, 'if-range': '"one"' } },
  'If-Range that does not': { headers: { range: 'bytes=1-2', 'if-range': '"two"' } },
  'If-Range with a date': { headers: { range: `bytes=${33 * MIB}-${33 * MIB + 9}`, 'if-range': MODIFIED } },
  'If-None-Match that holds': { headers: { 'if-none-match': '"zero", "one"' } },
  'If-None-Match that does not': { headers: { 'if-none-match': '"two"', range: 'bytes=3-4' } },
  'If-Modified-Since': { headers: { 'if-modified-since': LATER } },
  'If-Match that does not hold': { headers: { 'if-match': '"two"', range: 'bytes=3-4' } },
  'If-Unmodified-Since': { headers: { 'if-unmodified-since': LATER, range: 'bytes=5-6' } },
  HEAD: { method: 'HEAD', headers: {} },
  'HEAD of a range': { method: 'HEAD', headers: { range: 'bytes=3-4' } },
  'HEAD with If-None-Match': { method: 'HEAD', headers: { 'if-none-match': '"one"' } },
}

const COMPARED = [
  'content-length',
  'content-range',
  'etag',
  'last-modified',
  'accept-ranges',
  'cache-control',
]

/** What must be the same. The boundary of several parts is made up anew each time. */
function told({ status, headers, body, isWhole }: Response): unknown {
  const isParted = headers['content-type']?.startsWith('multipart/') === true
  const parts = isParted
    ? partsOf(headers['content-type'], body).map(({ fields, bytes }) => [fields, bytes.toString('hex')])
    : [headers['content-type'], body.length < 1000 ? body.toString('hex') : body.length]
  const fields = COMPARED.map((name) => (isParted && name === 'content-length' ? '' : headers[name]))
  return { status, isWhole, fields, parts }
}

test('what three nodes answer for a film is what one answers, cold and warm', PATIENCE, async (t) => {
  const origin = await openFilmOrigin(t, { size: SIZE, fields: FIELDS })
  // A cluster of one: the list that serves all names itself.
  const itself = [{ id: 'node-1', url: 'http://127.0.0.1:1' }]
  const [lone] = await openCluster(t, { nodes: 1, origins: [origin.url], cluster: { siblings: itself } })
  const nodes = await openCluster(t, { nodes: 3, canBeCutOff: false, origins: [origin.url] })
  const whole = filmBytes(0, SIZE - 1)
  for (const round of ['cold', 'warm']) {
    for (const [index, [name, ask]] of Object.entries(ASKS).entries()) {
      // A film for each, so that what was asked before has brought nothing.
      const path = `/film-${index}.mp4`
      const alone = await get(`${lone?.url}${path}`, ask)
      for (const node of nodes) {
        const answer = await get(`${node.url}${path}`, ask)
        assert.deepEqual(told(answer), told(alone), `${name}, ${round}, at ${node.id}`)
        if (answer.status === 200 && ask.method !== 'HEAD') assert.ok(answer.body.equals(whole), name)
      }
    }
  }
})

test(
  'a film goes on for viewers of all other nodes when the owner of its slices is killed in the middle',
  PATIENCE,
  async (t) => {
    const origin = await openFilmOrigin(t, { size: SIZE, fields: FIELDS })
    const nodes = await openCluster(t, { nodes: 3, canBeCutOff: false, origins: [origin.url] })
    const whole = filmBytes(0, SIZE - 1)
    const [victim, ...others] = nodes
    assert.ok(victim !== undefined)
    // Six films have more blocks than chance could give to two nodes alone.
    const viewers = Array.from({ length: 6 }, (_, index) =>
      openViewer(`${others[index % others.length]?.url}/film-${index}.mp4`, { paused: true }),
    )
    for (const viewer of viewers) assert.equal((await viewer.head).status, 200)
    await victim.kill('SIGKILL')
    for (const viewer of viewers) viewer.resume()
    for (const { answer } of viewers) {
      const { isWhole, body } = await answer
      assert.ok(isWhole)
      assert.ok(body.equals(whole))
    }
  },
)
