/** What left the window of a live stream makes room on disk before anything else. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const PLAYLIST = '/live/a.m3u8'
const SEGMENT_BYTES = 400 * 1024

test('on disk, too, what left the window makes room before what was used longer ago', async (t) => {
  let first = 10
  const origin = await openOrigin(t, (request, response) => {
    const segments = [0, 1, 2].map((index) => `#EXTINF:4,\ns${first + index}.ts\n`)
    const text = `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:${first}\n${segments.join('')}`
    reply(response, request.url === PLAYLIST ? text : Buffer.alloc(SEGMENT_BYTES))
  })
  const path = await mkdtemp(join(tmpdir(), 'relais-left-'))
  // Memory takes no segment, and the disk three of them.
  const file = {
    memory: { maxBytes: '1MB', maxEntryBytes: '64KB' },
    disk: { path, maxBytes: 4 * SEGMENT_BYTES - 1, maxEntryBytes: 2 * SEGMENT_BYTES },
  }
  const relais = await openTestRelais({ after: () => undefined }, { origins: [origin.url], file })
  t.after(async () => {
    await relais.close()
    await rm(path, { recursive: true, force: true })
  })
  const read = async (name: string): Promise<void> => {
    assert.equal((await get(`${relais.url}/live/${name}.ts`)).body.byteLength, SEGMENT_BYTES)
    await settled(relais)
  }
  await get(relais.url + PLAYLIST)
  for (const name of ['s11', 's12', 's10']) await read(name)
  first = 11
  relais.clock.advance(2_100)
  await get(relais.url + PLAYLIST)
  await read('s13')
  await until(async () => (await relais.stats()).disk.evictions === 1, 'one makes room')
  for (const name of ['s11', 's12', 's13']) {
    await read(name)
    assert.equal(origin.count(`/live/${name}.ts`), 1, name)
  }
})
