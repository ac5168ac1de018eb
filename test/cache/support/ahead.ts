/** What tests of fetching ahead have in common: a film in segments, and the moment when all that was set out for has come. */
import type { TestContext } from 'node:test'
import { until } from '../../support/barrier.ts'
import type { Response } from '../../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../../support/origin.ts'
import type { TestRelais } from '../../support/relais.ts'

/** The configuration file that turns it on. */
export const ON = { prefetch: { segments: 2 } }

/** A playlist of `count` segments of four seconds, which are called `name` and their number. */
export function vod(count: number, name = 's'): string {
  const segments = Array.from({ length: count }, (_, index) => `#EXTINF:4,\n${name}${index}.ts\n`)
  return `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n${segments.join('')}#EXT-X-ENDLIST\n`
}

/** Twenty segments in two renditions, by any path; `headers` are those of segments. */
export async function openVod(t: TestContext, headers: Record<string, string> = {}): Promise<TestOrigin> {
  return openOrigin(t, (request, response) => {
    const target = request.url ?? ''
    if (target.endsWith('.m3u8')) return reply(response, vod(20, target.includes('high') ? 'high' : 's'))
    return reply(response, `content of ${target}`, headers)
  })
}

/** All that was set out for has come. */
export async function idle(relais: TestRelais): Promise<void> {
  // What is fetched ahead is looked for in a turn of its own.
  await new Promise((resolve) => setImmediate(resolve))
  await until(async () => (await relais.stats()).fills === 0, 'nothing is under way')
}

export function isHit(answer: Response): boolean {
  return /; hit/.test(String(answer.headers['cache-status']))
}
