/** A city at four nodes: what it watches the origin is asked for once, whatever node it is asked at. */
import assert from 'node:assert/strict'
import { Agent, get as httpGet } from 'node:http'
import { test } from 'node:test'
import { openOrigin, reply } from '../support/origin.ts'
import { openSiblings } from '../support/relais-siblings.ts'
import { zipf } from '../support/zipf.ts'

const OBJECTS = 20_000
const REQUESTS = 15_000
const AT_ONCE = 32
/** How steep: the usual figure for video on demand. */
const EXPONENT = 0.8

/** The same numbers in every run, from 0 up to 1 (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    const a = Math.imul(state ^ (state >>> 15), 1 | state)
    const b = (a + Math.imul(a ^ (a >>> 7), 61 | a)) ^ a
    return ((b ^ (b >>> 14)) >>> 0) / 2 ** 32
  }
}

test('15,000 requests for 20,000 objects at four nodes cost the origin one request an object', async (t) => {
  const origin = await openOrigin(t, (request, response) =>
    reply(response, `body of ${request.url}`, { 'cache-control': 'max-age=86400', etag: `"${request.url}"` }),
  )
  // Who failed, on a machine that stood still for a second, is asked again after one.
  const clock = { now: () => Date.now(), advance: () => undefined }
  const { nodes } = await openSiblings(t, 4, { origins: [origin.url], clock })
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  t.after(() => agent.destroy())
  const random = numbers(20_001)
  const next = zipf(OBJECTS, EXPONENT, random)
  const wrong: string[] = []
  const distinct = new Set<string>()
  const ask = (): Promise<void> => {
    const target = `/film-${next()}/segment-1.ts`
    const node = nodes[Math.floor(random() * nodes.length)]
    distinct.add(target)
    return new Promise((resolve, reject) => {
      httpGet(`${node?.url}${target}`, { agent }, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text) => {
          body += text
        })
        response.on('end', () => {
          if (body !== `body of ${target}`) wrong.push(`${target}: ${response.statusCode} ${body}`)
          resolve()
        })
      }).on('error', reject)
    })
  }
  let left = REQUESTS
  const viewer = async (): Promise<void> => {
    while (left-- > 0) await ask()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, viewer))
  assert.deepEqual(wrong, [])
  const allowed = Math.floor(1.02 * distinct.size)
  t.diagnostic(`${origin.count()} requests to the origin for ${distinct.size} objects`)
  assert.ok(origin.count() <= allowed, `${origin.count()} requests for ${distinct.size} objects`)
})
