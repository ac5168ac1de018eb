/** The addresses of HLS playlists lead to us, wherever they stand, and every other byte stays. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressBook } from '../../src/media/addresses/address-book.ts'
import { rewriteHls } from '../../src/media/addresses/hls-addresses.ts'
import { Place } from '../../src/media/addresses/place.ts'
import fc from '../support/properties.ts'

const ROUTES = [{ prefix: '/live/', origins: ['http://origin:9000/streams/'] }]
const BOOK = new AddressBook(ROUTES)
const PUBLIC = new AddressBook(ROUTES, { publicUrl: 'https://edge.example' })
const HERE = Place.of(BOOK, 'http://origin:9000/streams/a/m.m3u8', '/live/a/m.m3u8')
const MOVED = Place.of(BOOK, 'http://origin:9000/streams/b/m.m3u8', '/live/a/m.m3u8')
const ORIGIN = 'http://origin:9000/streams'

function rewrite(lines: string, place = HERE): string {
  const rewritten = rewriteHls(`#EXTM3U\n${lines}`, place)
  assert.ok(typeof rewritten === 'string', JSON.stringify(rewritten))
  assert.ok(rewritten.startsWith('#EXTM3U\n'))
  return rewritten.slice(8)
}

test('every carrier of an address in a multivariant playlist leads to us', () => {
  const playlist = (at: string) => `#EXT-X-VERSION:11
#EXT-X-CONTENT-STEERING:SERVER-URI="${at}/steer.json?s=1",PATHWAY-ID="A"
#EXT-X-SESSION-DATA:DATA-ID="com.example.title",URI="${at}/title.json",LANGUAGE="en"
#EXT-X-SESSION-KEY:METHOD=AES-128,URI="${at}/key"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="URI=x, y",URI="${at}/en.m3u8",DEFAULT=YES
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="${at}/i.m3u8"
#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,URI="${at}/thumbs.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"
${at}/v1.m3u8?a=b&c=~/
#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"
v2.m3u8
`
  assert.equal(rewrite(playlist(ORIGIN)), playlist('/live'))
  assert.equal(rewrite(playlist('/streams')), playlist('/live'))
  assert.equal(rewrite(playlist('//origin:9000/streams')), playlist('/live'))
  assert.equal(rewrite(playlist('http://cdn.example')), playlist('http://cdn.example'))
})

test('every carrier of an address in a media playlist leads to us', () => {
  const playlist = (at: string) => `#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="${at}/init.mp4",BYTERANGE="10@0"
#EXT-X-KEY:METHOD=AES-128,URI="${at}/key",IV=0x1
#EXTINF:4,${ORIGIN}/title
${at}/1.m4s
#EXT-X-DATERANGE:ID="ad",CLASS="com.apple.hls.interstitial",X-ASSET-LIST="${at}/list.json",X-URI="${at}/p"
#EXT-X-PART:DURATION=1,URI="${at}/2.1.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${at}/2.2.m4s",BYTERANGE-START=0
#EXT-X-RENDITION-REPORT:URI="${at}/other.m3u8",LAST-MSN=1
`
  assert.equal(rewrite(playlist(ORIGIN)), playlist('/live'))
  assert.equal(rewrite(playlist('/streams')), playlist('/live'))
  assert.equal(rewrite(playlist('..')), playlist('..'))
})

test('line endings, a byte order mark, comments, unknown tags and an unfinished last line are kept', () => {
  const playlist = (at: string) =>
    `\ufeff#EXTM3U\r\n\r\n# ${ORIGIN}/comment\r\n#EXT-X-UNKNOWN:URI="${ORIGIN}/x"\n#EXTVLCOPT:URI="${ORIGIN}"\r\n` +
    `#EXT-X-KEYS:URI="${ORIGIN}/x"\n#EXTINF:4,\r\n  ${at}/1.ts \t\r\n\n#EXTINF:4\n${at}/2.ts`
  assert.equal(rewriteHls(playlist(ORIGIN), HERE), playlist('/live'))
})

test('keys that are no http addresses stay', () => {
  const playlist =
    '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://origin:9000/streams/k"\n' +
    '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,aHR0cA==",KEYFORMAT="urn:uuid:1"\n'
  assert.equal(rewrite(playlist), playlist)
  assert.equal(rewrite(playlist, MOVED), playlist)
})

test('a hint and the part that it becomes are the same text', () => {
  for (const uri of [`${ORIGIN}/p.m4s?sig=a~b=`, '/streams/x/../p.m4s', 'p.m4s']) {
    for (const place of [HERE, MOVED]) {
      const hint = rewrite(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${uri}"`, place)
      const part = rewrite(`#EXT-X-PART:DURATION=1,URI="${uri}"`, place)
      assert.equal(/URI="(.*)"/.exec(hint)?.[1], /URI="(.*)"/.exec(part)?.[1])
    }
  }
})

test('the address of an asset has our host when that is known, and only that one', () => {
  const tag = (asset: string, list: string) =>
    `#EXT-X-DATERANGE:ID="1",X-ASSET-URI="${asset}",X-ASSET-LIST="${list}"`
  const written = tag(`${ORIGIN}/ad.m3u8`, `${ORIGIN}/ads.json`)
  assert.equal(rewrite(written), tag('/live/ad.m3u8', '/live/ads.json'))
  const place = Place.of(PUBLIC, 'http://origin:9000/streams/a/m.m3u8', '/live/a/m.m3u8')
  assert.equal(rewrite(written, place), tag('https://edge.example/live/ad.m3u8', '/live/ads.json'))
})

test('date ranges are the same text in every rendition, unless they are written relative to it', () => {
  const tag = `#EXT-X-DATERANGE:ID="1",X-ASSET-URI="${ORIGIN}/ad.m3u8",X-ASSET-LIST="/streams/ads.json"`
  const other = Place.of(BOOK, 'http://origin:9000/streams/x/y/z.m3u8', '/live/x/y/z.m3u8')
  assert.equal(rewrite(tag), rewrite(tag, other))
})

test('a rendition report stays relative, and what is relative to its own playlist stays as it is', () => {
  const report = (uri: string) => `#EXT-X-RENDITION-REPORT:URI="${uri}",LAST-MSN=2`
  assert.equal(rewrite(report('/streams/b.m3u8')), report('/live/b.m3u8'))
  assert.equal(rewrite(report('../b.m3u8'), MOVED), report('../b.m3u8'))
  const away = Place.of(BOOK, 'http://cdn.example/x/m.m3u8', '/live/a/m.m3u8')
  assert.equal(rewrite(report('/x/b.m3u8'), away), report('/x/b.m3u8'))
})

test('after a redirect what is relative is based on where the playlist really came from', () => {
  const playlist = (at: string) => `#EXT-X-MAP:URI="${at}init.mp4"\n#EXTINF:4\n${at}1.m4s\n`
  assert.equal(rewrite(playlist(''), MOVED), playlist('/live/b/'))
})

test('the value of a variable that begins an address of ours leads to us, and what uses it stays', () => {
  const playlist = (value: string, other: string) => `#EXT-X-DEFINE:NAME="base",VALUE="${value}"
#EXT-X-DEFINE:VALUE="${other}",NAME="other"
#EXT-X-DEFINE:NAME="word",VALUE="streams"
#EXT-X-DEFINE:IMPORT="there"
#EXT-X-DEFINE:QUERYPARAM="token"
#EXT-X-MAP:URI="{$base}/init.mp4?t={$token}"
{$base}/1.m4s
{$there}/2.m4s
{$other}/3.m4s
{$unknown}/4.m4s
`
  assert.equal(rewrite(playlist(ORIGIN, 'http://cdn.example')), playlist('/live', 'http://cdn.example'))
  assert.equal(rewrite(playlist(`${ORIGIN}/x/`, `${ORIGIN}/y?z=`)), playlist('/live/x/', '/live/y?z='))
  const root = new AddressBook([{ prefix: '/', origins: ['http://origin:9000/'] }])
  const place = Place.of(root, 'http://origin:9000/m.m3u8', '/m.m3u8')
  assert.equal(rewrite(playlist('http://origin:9000', 'x'), place), playlist('', 'x'))
})

test('a variable whose value alone is no address of ours is written out where what it begins is one', () => {
  const definitions = `#EXT-X-DEFINE:NAME="scheme",VALUE="http"
#EXT-X-DEFINE:NAME="host",VALUE="origin:9000"
#EXT-X-DEFINE:NAME="server",VALUE="http://origin:9000"
#EXT-X-DEFINE:NAME="root",VALUE="/streams"
#EXT-X-DEFINE:NAME="here",VALUE="x"
`
  const uses = `{$server}/streams/1.ts?{$host}
{$scheme}://{$host}/streams/2.ts
{$root}/3.ts
//{$host}/streams/4.ts
{$here}/5.ts
{$server}/other/6.ts
`
  const expected = `/live/1.ts?origin:9000
/live/2.ts
/live/3.ts
/live/4.ts
{$here}/5.ts
{$server}/other/6.ts
`
  assert.equal(rewrite(definitions + uses), definitions + expected)
  assert.equal(rewrite(`${definitions}{$here}/5.ts`, MOVED), `${definitions}/live/b/x/5.ts`)
})

test('a variable that leads to us where its value does, and elsewhere where what follows leaves us, is written out', () => {
  const playlist = (value: string, use: string) => `#EXT-X-DEFINE:NAME="b",VALUE="${value}"\n${use}1.ts\n`
  assert.equal(rewrite(playlist(ORIGIN, '{$b}-old/')), playlist('/live', `${ORIGIN}-old/`))
})

test('a text that is no playlist stays', () => {
  for (const text of ['', `${ORIGIN}/1.ts`, '<html>', `#EXT\n${ORIGIN}/1.ts`]) {
    assert.equal(rewriteHls(text, HERE), text)
  }
})

test('attribute lists that are none stay from where they are none', () => {
  const cases = [
    [`#EXT-X-KEY:URI="${ORIGIN}/k`, undefined],
    [`#EXT-X-KEY:URI=${ORIGIN}/k`, undefined],
    ['#EXT-X-KEY:', undefined],
    ['#EXT-X-KEY', undefined],
    ['#EXT-X-KEY:="', undefined],
    ['#EXT-X-KEY:URI="",URI="', undefined],
    [`#EXT-X-KEY:constructor="${ORIGIN}/k",XURI="${ORIGIN}/k"`, undefined],
    [`#EXT-X-KEY:METHOD,URI="${ORIGIN}/k"`, '#EXT-X-KEY:METHOD,URI="/live/k"'],
    [`#EXT-X-KEY:A=b=c,,URI="${ORIGIN}/k"x"`, '#EXT-X-KEY:A=b=c,,URI="/live/k"x"'],
    [`#EXT-X-KEY: URI="${ORIGIN}/k", URI="${ORIGIN}/l"`, '#EXT-X-KEY: URI="/live/k", URI="/live/l"'],
  ] as const
  for (const [line, expected] of cases) assert.equal(rewrite(line), expected ?? line)
})

/** Doubled, a text takes about twice the time; what grows with the square would not come back at all. */
test('lines of 10 MB and a million lines come through', () => {
  const long = 'a'.repeat(10_000_000)
  const hostile = [
    long,
    `${ORIGIN}/${long}`,
    `http://${long}`,
    `/${'../'.repeat(1_000_000)}`,
    `/streams/${'%2e%2E/'.repeat(500_000)}`,
    `{$${long}`,
    '{$a}'.repeat(1_000_000),
    `#EXT-X-KEY:${'A'.repeat(10_000_000)}`,
    `#EXT-X-KEY:${'='.repeat(1_000_000)}`,
    `#EXT-X-KEY:${'A="b"'.repeat(500_000)}`,
    `#EXT-X-KEY:${'A=b,'.repeat(500_000)}`,
    `#EXT-X-KEY:${'"'.repeat(1_000_000)}`,
    `#EXT-X-KEY:URI="${long}`,
    `#EXT-X-DEFINE:NAME="a",VALUE="${long}"`,
    '\n'.repeat(1_000_000),
    '#EXT-X-KEY\n'.repeat(1_000_000),
  ]
  for (const line of hostile) {
    assert.equal(typeof rewriteHls(`#EXTM3U\n${line}`, MOVED), 'string')
  }
  const lines = rewrite(`#EXTINF:4\n${ORIGIN}/1.ts\n`.repeat(500_000))
  assert.equal(lines, '#EXTINF:4\n/live/1.ts\n'.repeat(500_000))
})

test('a text that would grow beyond reason is refused', () => {
  const deep = Place.of(BOOK, `http://origin:9000/streams/${'x'.repeat(8000)}/m.m3u8`, '/live/a/m.m3u8')
  const rewritten = rewriteHls(`#EXTM3U\n${'a\n'.repeat(100_000)}`, deep)
  assert.ok(typeof rewritten === 'object')
  assert.match(rewritten.bad, /^expected at most 67108864 characters, came \d+ with our addresses$/)
})

const uri = fc.oneof(
  fc.constantFrom(
    'a.ts',
    '../b.ts',
    '/streams/c.ts',
    '/other/d.ts',
    `${ORIGIN}/e.ts?s=~/=`,
    'data:,x',
    '{$v}/f',
  ),
  fc.string(),
  fc.webPath(),
)
const line = fc.oneof(
  uri,
  fc.constantFrom('#EXTINF:4,', '#EXT-X-ENDLIST', '', '# x', '#EXT-X-KEY:METHOD=NONE'),
  fc
    .tuple(
      fc.constantFrom('KEY', 'MAP', 'PART', 'DATERANGE', 'MEDIA', 'DEFINE', 'RENDITION-REPORT', 'FOO'),
      fc.constantFrom('URI', 'X-ASSET-URI', 'X-ASSET-LIST', 'VALUE', 'NAME="v",VALUE'),
      uri,
    )
    .map(([tag, attribute, value]) => `#EXT-X-${tag}:A=1,${attribute}="${value}"`),
)
const text = fc
  .tuple(fc.array(line, { maxLength: 12 }), fc.constantFrom('\n', '\r\n'))
  .map(([lines, ending]) => ['#EXTM3U', ...lines].join(ending))

test('property: an unmapped playlist comes out byte for byte', () => {
  const nobody = new AddressBook([{ prefix: '/', origins: ['http://nobody.example/'] }])
  const place = Place.of(nobody, 'http://nobody.example/a/m.m3u8', '/a/m.m3u8')
  fc.assert(
    fc.property(text, (playlist) => {
      assert.equal(rewriteHls(playlist, place), playlist)
    }),
    { numRuns: 1000 },
  )
})

test('property: what was rewritten stays when it is read at our address, and when the paths are the same twice is once', () => {
  const ours = Place.of(PUBLIC, 'https://edge.example/live/a/m.m3u8', '/live/a/m.m3u8')
  fc.assert(
    fc.property(text, fc.constantFrom(HERE, MOVED), (playlist, place) => {
      const once = rewriteHls(playlist, place)
      assert.ok(typeof once === 'string')
      assert.equal(rewriteHls(once, ours), once)
      assert.equal(rewriteHls(once, HERE), once)
    }),
    { numRuns: 1000 },
  )
})

test('property: the lines of a playlist stay as many as they were, and all but addresses stay the same', () => {
  fc.assert(
    fc.property(text, (playlist) => {
      const rewritten = rewriteHls(playlist, MOVED)
      assert.ok(typeof rewritten === 'string')
      const [before, after] = [playlist.split('\n'), rewritten.split('\n')]
      assert.equal(after.length, before.length)
      for (const [index, was] of before.entries()) {
        if (!was.startsWith('#') || was.includes('"')) continue
        assert.equal(after[index], was)
      }
    }),
    { numRuns: 1000 },
  )
})
