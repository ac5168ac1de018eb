/** What a node fetches ahead of its own viewers it keeps, though a sibling keeps it as well: they are about to ask for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openSiblings } from '../support/relais-siblings.ts'

test('the segments after the one that was asked for are hits at a node that owns none of them', async (t) => {
  const lines = Array.from({ length: 60 }, (_, index) => `#EXTINF:6,\n${index}.ts`).join('\n')
  const playlist = `#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n${lines}\n#EXT-X-ENDLIST\n`
  const origin = await openOrigin(t, ({ url }, response) =>
    reply(response, url?.endsWith('.m3u8') ? playlist : `body of ${url}`, { 'cache-control': 'max-age=600' }),
  )
  const { nodes, ranked } = await openSiblings(t, 2, {
    origins: [origin.url],
    file: { prefetch: { segments: 1 } },
  })
  const [asker] = nodes
  assert.ok(asker)
  const isOthers = (index: number): boolean => ranked(`${origin.url}/${index}.ts`)[0] !== asker
  const first = Array.from({ length: 50 }, (_, index) => index).find((index) => isOthers(index + 1)) ?? 0
  await get(`${asker.url}/main.m3u8`)
  await get(`${asker.url}/${first}.ts`)
  await until(async () => {
    const { prefetch, fills } = await asker.stats()
    return prefetch.sent >= 1 && fills === 0
  }, 'the next ones have come')
  const { headers, body } = await get(`${asker.url}/${first + 1}.ts`)
  assert.equal(body.toString(), `body of /${first + 1}.ts`)
  assert.match(String(headers['cache-status']), /node-0; hit/)
  assert.equal((await asker.stats()).prefetch.wasted, 0)
  assert.equal(origin.count(`/${first + 1}.ts`), 1)
})
