/** A blocking reload that the stored playlist answers: what it costs the origin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { isHit, ON } from './support/ahead.ts'

const TYPE = { 'content-type': 'application/vnd.apple.mpegurl' }

/** Segments 10 to 12 are whole, and so many parts of 13 are made. */
function playlist(parts: number): string {
  return [
    '#EXTM3U',
    '#EXT-X-TARGETDURATION:2',
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5',
    '#EXT-X-PART-INF:PART-TARGET=0.5',
    '#EXT-X-MEDIA-SEQUENCE:10',
    ...[10, 11, 12].flatMap((sequence) => ['#EXTINF:2,', `${sequence}.m4s`]),
    ...Array.from({ length: parts }, (_, part) => `#EXT-X-PART:DURATION=0.5,URI="13.${part}.m4s"`),
    '',
  ].join('\n')
}

test('a playlist that is reloaded part by part is renewed by that alone, and any other before it is stale', async (t) => {
  const headers = { ...TYPE, 'cache-control': 'max-age=4' }
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist(1), headers))
  const relais = await openTestRelais(t, { origins: [origin.url], file: ON })
  const requests = async (): Promise<number> => (await relais.stats()).origin.requests
  for (const name of ['p', 'q']) await get(`${relais.url}/${name}.m3u8`)
  relais.clock.advance(3_500)
  for (const target of ['/p.m3u8?_HLS_msn=13&_HLS_part=0', '/p.m3u8']) {
    assert.ok(isHit(await get(relais.url + target)), target)
    assert.equal(await requests(), 2, target)
  }
  assert.ok(isHit(await get(`${relais.url}/q.m3u8`)))
  assert.equal(await requests(), 3, 'nobody reloads this one')
})
