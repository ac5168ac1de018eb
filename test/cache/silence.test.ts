/** What is kept although its origin said nothing of lifetimes and it is nothing that HLS or DASH speak of (RFC 9111 section 4.2.2). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silenceOf } from '../../src/cache/silence.ts'
import type { Fields } from '../../src/rfc/heads.ts'
import { formatHttpDate } from '../../src/rfc/http-date.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { requestOf } from './support/route.ts'

const NOW = Date.UTC(2026, 0, 1)

function guess(target: string, changedSecondsAgo: number, status = 200, more: Fields = {}): number {
  const fields = { 'last-modified': formatHttpDate(NOW - changedSecondsAgo * 1000), ...more }
  const head = { status, fields, requestedAt: NOW, receivedAt: NOW }
  return silenceOf('other', {}, requestOf({}, 'GET', target), head).freshMs / 1000
}

test('a file that has not changed for long is taken to stay for a tenth of that time, at most an hour', () => {
  assert.equal(guess('/poster.jpg', 600), 60)
  assert.equal(guess('/poster.jpg', 36_000), 3_600)
  assert.equal(guess('/poster.jpg', 360_000), 3_600)
  assert.equal(guess('/poster.jpg', 0), 0)
})

test('what is missing is taken to stay so for ten seconds at most', () => {
  assert.equal(guess('/poster.jpg', 50, 404), 5)
  assert.equal(guess('/poster.jpg', 360_000, 404), 10)
})

test('of a status that is not cacheable by itself nothing is guessed, unless it is said to be public', () => {
  for (const status of [201, 302, 403, 500, 503, 599]) assert.equal(guess('/a', 600, status), 0, `${status}`)
  assert.equal(guess('/a', 600, 599, { 'cache-control': 'public' }), 10)
})

test('nothing is guessed of a program, nor of what came in the place of media', () => {
  assert.equal(guess('/api/now?channel=1', 600), 0)
  for (const target of ['/seg1.ts', '/main.m3u8', '/a.mpd', '/film.mp4', '/key', '/subs.vtt'])
    assert.equal(guess(target, 600), 0, target)
})

test('a poster without a word on its lifetime is asked for once while the guess holds, then validated', async (t) => {
  const changed = formatHttpDate(NOW - 600_000)
  const origin = await openOrigin(t, (request, response) => {
    if (request.headers['if-modified-since'] === changed) response.writeHead(304).end()
    else
      reply(response, 'poster', {
        'content-type': 'image/jpeg',
        'last-modified': changed,
        date: formatHttpDate(NOW),
      })
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const url = `${relais.url}/poster.jpg`
  await get(url)
  relais.clock.advance(59_000)
  assert.match(String((await get(url)).headers['cache-status']), /; hit; ttl=1/)
  relais.clock.advance(1_000)
  assert.match(String((await get(url)).headers['cache-status']), /fwd=stale; fwd-status=304/)
  assert.equal(origin.count(), 2)
})

test('an error page in the place of a segment is not kept, however long it has lain there', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, '<p>Back soon', {
      'content-type': 'text/html',
      'last-modified': formatHttpDate(NOW - 1e9),
    }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (let count = 1; count <= 2; count++) {
    await get(`${relais.url}/seg1.ts`)
    assert.equal(origin.count(), count)
  }
})
