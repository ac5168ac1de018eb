/** Long manifests are read in a thread beside, and what comes of them is the same. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { MAX_AT_ONCE_BYTES, ManifestReader } from '../../../src/cache/reading/manifest-reader.ts'
import { skipped } from '../../../src/cache/reading/task.ts'
import { Undone } from '../../../src/cache/reading/thread.ts'
import { AddressBook } from '../../../src/media/addresses/address-book.ts'
import { type Edition, edit, type Manuscript } from '../../../src/media/edition.ts'
import { type BadManifest, isBad } from '../../../src/media/facts.ts'
import type { DocumentKind } from '../../../src/media/kind.ts'

const BOOK = new AddressBook([{ prefix: '/live/', origins: ['http://origin:9000/streams/'] }], {
  aliases: { 'https://cdn.example/': '/live/' },
  publicUrl: 'https://edge.example',
  reserved: /^\/live\/stats/,
  attributes: [{ tag: 'EXT-X-AD', attribute: 'HREF' }],
})

function openReader(t: TestContext): ManifestReader {
  const reader = new ManifestReader(BOOK)
  t.after(() => reader.close())
  return reader
}

function manuscript(kind: DocumentKind, text: string): Manuscript {
  // Of its own, for it may be given away.
  const bytes = new Uint8Array(new TextEncoder().encode(text))
  return { kind, bytes, fetched: 'http://origin:9000/streams/a/m', asked: '/live/a/m', isOurs: true }
}

function playlist(segments: number): string {
  const lines = Array.from({ length: segments }, (_, at) => `#EXTINF:4,\nhttps://cdn.example/s${at}.ts\n`)
  const control = '#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=24\n#EXT-X-AD:HREF="http://origin:9000/streams/ad"\n'
  return `#EXTM3U\n#EXT-X-TARGETDURATION:4\n${control}${lines.join('')}`
}

function mpd(entries: number): string {
  const s = Array.from({ length: entries }, (_, at) => `<S t="${at * 10}" d="${1 + (at % 7)}"/>`).join('')
  const timeline = `<SegmentTimeline>${s}</SegmentTimeline>`
  const own = (id: string) =>
    `<Representation id="${id}"><SegmentTemplate media="/streams/${id}/$Time$.m4s">${timeline}</SegmentTemplate></Representation>`
  const shared = `<AdaptationSet><SegmentTemplate media="s/$Time$.m4s">${timeline.replace('"/></', '" r="-1"/></')}</SegmentTemplate><Representation id="c"/><Representation id="d"/></AdaptationSet>`
  const bare =
    '<AdaptationSet><Representation id="e"><BaseURL>e.mp4</BaseURL></Representation></AdaptationSet>'
  return `<MPD type="dynamic"><Period start="PT0S"><AdaptationSet>${own('a')}${own('b')}</AdaptationSet>${shared}${bare}</Period></MPD>`
}

function assets(count: number): string {
  const list = Array.from({ length: count }, (_, at) => ({
    URI: `https://cdn.example/ad${at}.m3u8`,
    DURATION: 15,
  }))
  return JSON.stringify({ ASSETS: list })
}

/** Whatever view of its bytes it has. */
function plain(read: Edition | BadManifest): unknown {
  return isBad(read) ? read : { ...read, bytes: String(Buffer.from(read.bytes)) }
}

test('what a thread makes of a long manifest is what is made of it at once', async (t) => {
  const reader = openReader(t)
  for (const [kind, text] of [
    ['hls-playlist', playlist(5_000)],
    ['dash-mpd', mpd(1_000)],
    ['dash-mpd', '<Period><AdaptationSet/></Period>'.repeat(2_000)],
    ['dash-patch', `<Patch>${'<add sel="/MPD/Period/@start">PT0S</add>'.repeat(2_000)}</Patch>`],
    ['asset-list', assets(5_000)],
    ['hls-playlist', `${playlist(5_000)}#EXT-X-MEDIA:URI="x"\n`],
    ['dash-mpd', `${mpd(1_000)}</MPD>`],
    ['asset-list', `${assets(5_000)}]`],
  ] as const) {
    const before = reader.read.inThread
    const made = await reader.edit(manuscript(kind, text))
    assert.deepEqual(plain(made), plain(edit(BOOK, manuscript(kind, text))), text.slice(0, 40))
    assert.equal(reader.read.inThread, before + 1)
  }
})

test('a manifest is read at once up to a length that holds nobody up, and by the thread beyond it', async (t) => {
  const reader = openReader(t)
  for (const [kind, text, most] of [
    ['hls-playlist', '#EXTM3U\n#EXT-X-TARGETDURATION:4\n', MAX_AT_ONCE_BYTES.lines],
    ['dash-mpd', '<MPD></MPD>', MAX_AT_ONCE_BYTES.xml],
  ] as const) {
    const { here, inThread } = reader.read
    await reader.edit(manuscript(kind, text.padEnd(most, '\n')))
    assert.deepEqual(reader.read, { here: here + 1, inThread })
    await reader.edit(manuscript(kind, text.padEnd(most + 1, '\n')))
    assert.deepEqual(reader.read, { here: here + 1, inThread: inThread + 1 })
  }
})

test('the delta update of a long playlist is made by the thread, and the playlist stays', async (t) => {
  const reader = openReader(t)
  const { bytes } = manuscript('hls-playlist', playlist(5_000))
  const delta = await reader.skip(bytes)
  assert.ok(delta !== undefined && delta.bytes.byteLength < 1000)
  assert.deepEqual(Buffer.from(delta.bytes), Buffer.from(skipped(bytes)?.bytes ?? []))
  assert.deepEqual(reader.read, { here: 0, inThread: 1 })
  assert.ok(bytes.byteLength > MAX_AT_ONCE_BYTES.lines)
})

test('a manifest that no thread could read is an error of its own, to be tried again', async () => {
  const failing = {
    run: () => Promise.reject(new Undone('it failed')),
    close: () => Promise.resolve(),
  }
  const reader = new ManifestReader(BOOK, failing)
  await assert.rejects(reader.edit(manuscript('hls-playlist', playlist(5_000))), {
    code: 'MANIFEST_UNREAD',
    status: 503,
    retryAfterSeconds: 1,
    message: /it failed/,
  })
})
