/** What the docs say is what is: errors, counters, lifetimes, words, rooms and links. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ERRORS } from '../src/errors.ts'
import type { ManifestFacts, StreamTiming } from '../src/media/facts.ts'
import { isBad } from '../src/media/facts.ts'
import type { MediaKind } from '../src/media/kind.ts'
import { type LifetimeFacts, silentLifetime } from '../src/media/lifetimes.ts'
import { readManifest } from '../src/media/manifest.ts'
import { formatDuration } from '../src/quantities.ts'
import { get } from './support/client.ts'
import { openOrigin, reply } from './support/origin.ts'
import { openSiblings } from './support/relais-siblings.ts'

const ROOT = new URL('../', import.meta.url)

function page(name: string): string {
  return readFileSync(new URL(name, ROOT), 'utf8')
}

/** The rows of all tables whose first cell is `code`, as cells; the first without its backticks. */
function rowsOf(markdown: string): string[][] {
  return cellsOf(markdown)
    .filter(([first = '']) => /^`[^`]+`$/.test(first))
    .map(([first = '', ...rest]) => [first.slice(1, -1), ...rest])
}

function cellsOf(markdown: string): string[][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

test('every error is in docs/errors.md with its status, its Proxy-Status word and advice, and nothing else is', () => {
  const documented = rowsOf(page('docs/errors.md')).map(([name, status, word, meaning, advice]) => {
    assert.ok(meaning !== undefined && meaning !== '' && advice !== undefined && advice !== '', name)
    return `${name} ${status} ${word}`
  })
  const real = Object.entries(ERRORS).map(([name, { status, proxyStatus }]) => {
    return `${name} ${status} \`${proxyStatus}\``
  })
  assert.deepEqual(documented.toSorted(), real.toSorted())
})

test('every field of /stats has its sentence in docs/stats.md, and nothing else has', async (t) => {
  const playlist =
    '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:6,\na.ts\n#EXT-X-ENDLIST\n'
  const gone = await openOrigin(t, (_request, response) => response.destroy())
  await gone.close()
  const origin = await openOrigin(t, (_request, response) => reply(response, playlist))
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [gone.url, origin.url] })
  const [relais] = nodes
  assert.ok(relais)
  assert.equal((await get(relais.url + ownedBy(relais, gone.url, '.m3u8'))).status, 200)
  const { body } = await get(`${relais.url}/stats`)
  const stats: unknown = JSON.parse(body.toString())
  const documented = rowsOf(page('docs/stats.md'))
  for (const [field, sentence] of documented) assert.match(sentence ?? '', /\.$/, field)
  assert.deepEqual(documented.map(([field]) => field).toSorted(), [...new Set(fieldsOf(stats))].toSorted())
})

/** `requests.hit`, `routes[].prefix`; a list without entries is one field. */
function fieldsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value) && value.length > 0) return value.flatMap((entry) => fieldsOf(entry, `${path}[]`))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path]
  return Object.entries(value).flatMap(([key, child]) =>
    fieldsOf(child, path === '' ? key : `${path}.${key}`),
  )
}

/** The words that the house agreed on, of which each stands for one idea. */
const WORDS =
  'fresh stale hit miss pass validate serve-stale collapse fill stored-response evict delete invalidate purge upstream origin sibling owner roster penalise'

test('every word of the house is explained in the glossary, once', () => {
  const explained = [...page('docs/glossary.md').matchAll(/^\*\*([^*]+)\*\*/gm)].map(([, word = '']) => word)
  const missing = WORDS.split(' ')
    .map((word) => word.replace('-', ' '))
    .filter((word) => !explained.includes(word))
  assert.deepEqual(missing, [])
  assert.deepEqual(
    explained.filter((word, index) => explained.indexOf(word) !== index),
    [],
  )
})

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(new URL('docs/', ROOT))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

test('every link from a page to a file leads somewhere', () => {
  const broken: string[] = []
  let links = 0
  for (const name of PAGES) {
    for (const [, target = ''] of page(name).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      links++
      const [path = '', anchor] = target.split('#')
      const file = new URL(path === '' ? name : path, new URL(name, ROOT))
      if (!existsSync(path === '' ? new URL(name, ROOT) : file)) broken.push(`${name}: ${target}`)
      else if (anchor !== undefined && !anchorsOf(file).includes(anchor)) broken.push(`${name}: ${target}`)
    }
  }
  assert.deepEqual(broken, [])
  assert.ok(links > 0, 'no link was found at all')
})

/** The anchors of headings, as GitHub makes them. */
function anchorsOf(file: URL): string[] {
  const headings = readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('every script and file that a page names in the shell is there', () => {
  const { scripts } = JSON.parse(page('package.json')) as { scripts: Record<string, string> }
  for (const name of PAGES) {
    for (const [command, script = ''] of page(name).matchAll(/npm run ([a-z:-]+)/g)) {
      assert.ok(script in scripts, `${name} says ${command}`)
    }
    for (const [, path = ''] of page(name).matchAll(/`((?:src|test|scripts|deploy|bin)\/[\w./-]+)`/g)) {
      assert.ok(existsSync(new URL(path, ROOT)), `${name} names ${path}`)
    }
  }
})

test('the rooms of the README are the folders of src', () => {
  const described = rowsOf(page('README.md'))
    .map(([name = '']) => name)
    .filter((name) => /^src\/[a-z]+\/$/.test(name))
  const real = readdirSync(new URL('src/', ROOT), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `src/${name}/`)
  assert.deepEqual(described.toSorted(), real.toSorted())
})

test('the keys that the README shows are options', () => {
  const options = rowsOf(page('docs/configuration.md')).map(([key]) => key)
  const shown = rowsOf(page('README.md'))
    .map(([name = '']) => name)
    .filter((name) => /^[a-z]+(?:\[\])?\.[A-Za-z]+$|^node$/.test(name))
  assert.ok(shown.length > 0)
  assert.deepEqual(
    shown.filter((key) => !options.includes(key)),
    [],
  )
})

const SECOND = 1000

/** Segments of six seconds, five of them listed: the stream of the examples in docs/lifetimes.md. */
const LIVE: StreamTiming = {
  live: true,
  targetDurationMs: 6 * SECOND,
  partTargetMs: undefined,
  windowMs: 30 * SECOND,
  segmentDurationMs: 6 * SECOND,
  minimumUpdatePeriodMs: undefined,
}
const LIVE_DASH: StreamTiming = {
  ...LIVE,
  targetDurationMs: undefined,
  minimumUpdatePeriodMs: 2 * SECOND,
}
const ENDED: StreamTiming = { ...LIVE, live: false }

function manifest(kind: MediaKind, text: string): ManifestFacts {
  const facts = readManifest(kind, new TextEncoder().encode(text))
  assert.ok(!isBad(facts), JSON.stringify(facts))
  return facts
}

const playlist = (tags: string): ManifestFacts =>
  manifest(
    'hls-playlist',
    `#EXTM3U\n#EXT-X-TARGETDURATION:6\n${tags}\n${'#EXTINF:6,\na.ts\n'.repeat(5)}${
      tags === '' ? '' : '#EXT-X-ENDLIST\n'
    }`,
  )
const mpd = (attributes: string): ManifestFacts =>
  manifest('dash-mpd', `<MPD ${attributes}><Period><SegmentTemplate duration="6"/></Period></MPD>`)
const MULTIVARIANT = manifest('hls-playlist', '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n')

type Case = readonly [kinds: string, facts: LifetimeFacts, statuses?: readonly number[]]

/** What each row of docs/lifetimes.md speaks of, in the order of the page. */
const CASES: readonly (readonly [row: string, ...cases: readonly Case[]])[] = [
  ['HLS media playlist', ['hls-playlist', { manifest: playlist('') }]],
  ['HLS multivariant playlist', ['hls-playlist', { manifest: MULTIVARIANT, stream: LIVE }]],
  [
    'MPD, updated every 2 s',
    ['dash-mpd', { manifest: mpd('type="dynamic" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT30S"') }],
  ],
  ['MPD without minimumUpdatePeriod', ['dash-mpd', { manifest: mpd('type="dynamic"') }]],
  [
    'DASH patch, remote part of an MPD, updated every 2 s',
    ['dash-patch dash-fragment', { stream: LIVE_DASH }],
  ],
  ['segment, subtitle segment', ['segment text', { stream: LIVE }], ['segment', { stream: LIVE }, [206]]],
  ['segment without a window', ['segment text', { stream: { ...LIVE, windowMs: undefined } }]],
  ['init segment', ['init', { stream: LIVE }]],
  ['media file that segments are ranges of', ['progressive', { stream: LIVE }]],
  ['404 or 410 of a playlist', ['hls-playlist', { stream: LIVE }, [404, 410]]],
  [
    '404 or 410 of an MPD, a patch, a segment',
    ['dash-mpd dash-patch dash-fragment segment init text progressive', { stream: LIVE }, [404, 410]],
  ],
  ['404 or 410 of a part of 333 ms', ['segment', { stream: { ...LIVE, partTargetMs: 333 } }, [404, 410]]],
  ['HLS media playlist, VOD', ['hls-playlist', { manifest: playlist('#EXT-X-PLAYLIST-TYPE:VOD') }]],
  [
    'HLS media playlist, ended but not VOD',
    ['hls-playlist', { manifest: playlist('#EXT-X-PLAYLIST-TYPE:EVENT') }],
    ['hls-playlist', { manifest: playlist('#EXT-X-VERSION:3') }],
  ],
  [
    'HLS multivariant playlist of an ended stream',
    ['hls-playlist', { manifest: MULTIVARIANT, stream: ENDED }],
  ],
  [
    'static MPD, remote part of one',
    ['dash-mpd', { manifest: mpd('type="static"') }],
    ['dash-fragment', { stream: ENDED }],
  ],
  ['DASH patch of an ended stream', ['dash-patch', { stream: ENDED }]],
  ['segment, init, subtitles, media file', ['segment init text progressive', { stream: ENDED }]],
  ['404 or 410 of a patch', ['dash-patch', { stream: ENDED }, [404, 410]]],
  [
    '404 or 410 of anything else of it',
    ['hls-playlist dash-mpd dash-fragment segment init text progressive', { stream: ENDED }, [404, 410]],
  ],
  ['segment, init, subtitles, media file', ['segment init text progressive', {}]],
  ['DASH patch, remote part of an MPD', ['dash-patch dash-fragment', {}]],
  ['404 or 410 of a segment', ['segment init text progressive', {}, [404, 410]]],
  [
    'permanent redirect (301, 308)',
    ['segment other', {}, [301, 308]],
    ['segment hls-playlist', { stream: LIVE }, [301, 308]],
  ],
  [
    'key, licence, steering manifest, asset list',
    ['key steering asset-list', {}, [200, 301, 404]],
    ['key steering asset-list', { stream: ENDED }, [200, 404]],
  ],
  ['anything that is neither HLS nor DASH', ['other', {}, [200, 404]], ['other', { stream: ENDED }]],
  [
    'any other status',
    ['segment hls-playlist', { stream: ENDED }, [204, 302, 303, 307, 400, 401, 403, 416, 500, 502, 503, 504]],
  ],
]

test('docs/lifetimes.md tells the lifetimes that are', () => {
  const real = CASES.map(([row, ...cases]) => {
    const told = new Set(
      cases.flatMap(([kinds, facts, statuses = [200]]) =>
        kinds.split(' ').flatMap((kind) =>
          statuses.map((status) => {
            const { freshMs, staleIfErrorMs } = silentLifetime(kind as MediaKind, facts, status)
            return `${written(freshMs)} ${written(staleIfErrorMs)}`
          }),
        ),
      ),
    )
    return `${row}: ${[...told].join(', ')}`
  })
  const documented = cellsOf(page('docs/lifetimes.md'))
    .filter(([first]) => first !== 'what')
    .map(([row, , fresh, failing]) => `${row}: ${fresh} ${failing}`)
  assert.deepEqual(documented, real)
})

test('only the multivariant playlist is served stale while it is validated', () => {
  const stale = CASES.flatMap(([row, ...cases]) =>
    cases.some(([kinds, facts, [status = 200] = [200]]) =>
      kinds
        .split(' ')
        .some((kind) => silentLifetime(kind as MediaKind, facts, status).staleWhileRevalidateMs > 0),
    )
      ? [row]
      : [],
  )
  assert.deepEqual(stale, ['HLS multivariant playlist'])
})

function written(ms: number): string {
  return ms === 0 ? '0' : formatDuration(ms)
}
