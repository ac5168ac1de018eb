/** An origin speaks to Relais alone, or to all relays like it, beside what it says to browsers (RFC 9213). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'

const NOT_FOR_BROWSERS = { 'cache-control': 'no-store', expires: '0' }

/** Fields beside those for browsers, and how many seconds the response is kept; undefined: not at all. */
const TARGETED: readonly (readonly [Record<string, string>, number | undefined])[] = [
  [{ 'relais-cache-control': 'max-age=30', 'cdn-cache-control': 'no-store' }, 30],
  [{ 'relais-cache-control': 'no-store', 'cdn-cache-control': 'max-age=30' }, undefined],
  [{ 'cdn-cache-control': 'max-age=20' }, 20],
  [{ 'relais-cache-control': 'max-age="30"', 'cdn-cache-control': 'max-age=20' }, 20],
  [{ 'relais-cache-control': '', 'cdn-cache-control': 'max-age=20;ext' }, 20],
  [{ 'other-cache-control': 'max-age=20' }, undefined],
]
for (const [fields, seconds] of TARGETED) {
  test(`${JSON.stringify(fields)} is ${seconds === undefined ? 'not kept' : `kept for ${seconds} s`}, and all of it is passed on`, async (t) => {
    const origin = await openOrigin(t, (_request, response) =>
      reply(response, 'segment', { ...NOT_FOR_BROWSERS, ...fields }),
    )
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const url = `${relais.url}/seg1.ts`
    for (const _ of [1, 2]) {
      const { headers } = await get(url)
      for (const [name, value] of Object.entries({ ...NOT_FOR_BROWSERS, ...fields }))
        assert.equal(headers[name], value)
    }
    assert.equal(origin.count(), seconds === undefined ? 2 : 1)
    if (seconds === undefined) return
    relais.clock.advance(seconds * 1000 - 1)
    await get(url)
    assert.equal(origin.count(), 1)
    relais.clock.advance(1)
    await get(url)
    assert.equal(origin.count(), 2)
  })
}
