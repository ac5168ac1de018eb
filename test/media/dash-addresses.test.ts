/** The addresses of MPDs and their patches lead to us, wherever they stand, and every other byte stays. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressBook } from '../../src/media/addresses/address-book.ts'
import { rewriteDash } from '../../src/media/addresses/dash-addresses.ts'
import { Place } from '../../src/media/addresses/place.ts'
import fc from '../support/properties.ts'

const BOOK = new AddressBook(
  [
    { prefix: '/live/', origins: ['http://origin:9000/streams/'] },
    { prefix: '/hd/', origins: ['https://hd.example/'] },
  ],
  { publicUrl: 'https://edge.example' },
)
const HERE = Place.of(BOOK, 'http://origin:9000/streams/a/m.mpd', '/live/a/m.mpd')
const MOVED = Place.of(BOOK, 'http://origin:9000/streams/b/m.mpd', '/live/a/m.mpd')
const AWAY = Place.of(BOOK, 'http://cdn.example/b/m.mpd', '/live/a/m.mpd')
const ORIGIN = 'http://origin:9000/streams'

function rewrite(text: string, place = HERE): string {
  const rewritten = rewriteDash(text, place)
  assert.ok(typeof rewritten === 'string', JSON.stringify(rewritten))
  return rewritten
}

function badOf(text: string): string {
  const rewritten = rewriteDash(text, HERE)
  assert.ok(typeof rewritten === 'object', 'it was taken')
  return rewritten.bad
}

/** With a document around it whose other addresses are relative. */
const mpd = (content: string): string => `<MPD type="dynamic">${content}</MPD>`
const period = (content: string): string => mpd(`<Period><AdaptationSet>${content}</AdaptationSet></Period>`)

const everything = (at: string): string => `<?xml version="1.0"?>
<!-- <BaseURL>${ORIGIN}/</BaseURL> -->
<m:MPD xmlns:m="urn:mpeg:dash:schema:mpd:2011" xmlns:xlink='http://www.w3.org/1999/xlink' xmlns:o="${ORIGIN}/">
  <m:Location>
    ${at}/m.mpd?a=b&amp;c=d
  </m:Location>
  <m:PatchLocation ttl="60">${at}/m.mpp?publishTime=2024-03-28T15%3A43%3A10Z</m:PatchLocation>
  <m:ContentSteering defaultServiceLocation="alpha">${at}/steer</m:ContentSteering>
  <m:Period xlink:href="${at}/period.xml" xlink:actuate="onRequest">
    <m:AdaptationSet xlink:href='${at}/set.xml'>
      <m:SegmentTemplate timescale = "1" media = '${at}/$RepresentationID$/$Number%05d$.m4s?a&amp;b'
        initialization="${at}/i.mp4" index="${at}/x" bitstreamSwitching="${at}/b"/>
      <m:Representation id="${ORIGIN}/id">
        <m:SegmentList>
          <m:Initialization sourceURL="${at}/i.mp4" range="0-1"/>
          <m:RepresentationIndex sourceURL="${at}/r"></m:RepresentationIndex>
          <m:BitstreamSwitching sourceURL="${at}/s"/>
          <m:SegmentURL media="${at}/1.m4s" index="${at}/1.idx" mediaRange="0-9"/>
        </m:SegmentList>
      </m:Representation>
    </m:AdaptationSet>
  </m:Period>
  <m:UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="${ORIGIN}/time"/>
  <dashif:Laurl xmlns:dashif="https://dashif.org/">${ORIGIN}/licence</dashif:Laurl>
</m:MPD>
`

test('every carrier of an address leads to us; clocks, licences, comments and namespaces stay', () => {
  assert.equal(rewrite(everything(ORIGIN)), everything('/live'))
  assert.equal(rewrite(everything('/streams')), everything('/live'))
  assert.equal(rewrite(everything('//origin:9000/streams')), everything('/live'))
  assert.equal(rewrite(everything('https://cdn.example/x')), everything('https://cdn.example/x'))
  assert.equal(rewrite(everything('x')), everything('x'))
})

test('after a redirect every carrier that is relative is based on where the MPD really came from', () => {
  assert.equal(rewrite(everything('x'), MOVED), everything('/live/b/x'))
  assert.equal(rewrite(everything('x'), AWAY), everything('http://cdn.example/b/x'))
})

test('a BaseURL leads to us at each of the four levels', () => {
  const bases = (one: string, two: string, three: string, four: string) =>
    `<MPD><BaseURL serviceLocation="a">${one}</BaseURL><Period><BaseURL>${two}</BaseURL><AdaptationSet>` +
    `<BaseURL>${three}</BaseURL><Representation><BaseURL> ${four}\n</BaseURL></Representation></AdaptationSet></Period></MPD>`
  const at = `${ORIGIN}/x/`
  assert.equal(rewrite(bases(at, at, at, at)), bases('/live/x/', '/live/x/', '/live/x/', '/live/x/'))
  assert.equal(rewrite(bases(at, 'y/', '/streams/z/', 'v.mp4')), bases('/live/x/', 'y/', '/live/z/', 'v.mp4'))
})

test('what is below a BaseURL is relative to that, not to the document', () => {
  const template = (base: string, media: string) =>
    `<MPD><BaseURL>${base}</BaseURL><Period><BaseURL>x/</BaseURL><SegmentTemplate media="${media}"/></Period></MPD>`
  assert.equal(rewrite(template('https://hd.example/s/', '/1.m4s')), template('/hd/s/', '/hd/1.m4s'))
  assert.equal(rewrite(template('https://hd.example/s/', '../1.m4s')), template('/hd/s/', '../1.m4s'))
  // Of a foreign host are those too that look like ours.
  const foreign = template('http://cdn.example/s/', '/streams/1.m4s')
  assert.equal(rewrite(foreign), foreign)
  assert.equal(rewrite(foreign, MOVED), foreign)
  const inner = '<Location>/streams/m.mpd</Location>'
  assert.equal(
    rewrite(mpd(`<BaseURL>http://cdn.example/</BaseURL>${inner}`)),
    mpd('<BaseURL>http://cdn.example/</BaseURL><Location>/live/m.mpd</Location>'),
  )
})

test('a BaseURL holds for its element and those within, no longer', () => {
  const periods = (one: string, two: string) =>
    mpd(
      `<Period><BaseURL>http://cdn.example/</BaseURL><SegmentTemplate media="${one}"/></Period>` +
        `<Period><SegmentTemplate media="${two}"/></Period>`,
    )
  assert.equal(rewrite(periods('/streams/1', '/streams/1')), periods('/streams/1', '/live/1'))
})

test('of several BaseURLs all lead to us, and the first one is what the others below are relative to', () => {
  const bases = (one: string, two: string, three: string) =>
    mpd(
      `<BaseURL>${one}</BaseURL><BaseURL>${two}</BaseURL><Period><SegmentTemplate media="${three}"/></Period>`,
    )
  assert.equal(
    rewrite(bases(`${ORIGIN}/`, 'http://cdn.example/', '/streams/1')),
    bases('/live/', 'http://cdn.example/', '/live/1'),
  )
  assert.equal(
    rewrite(bases('http://cdn.example/', `${ORIGIN}/`, '/streams/1')),
    bases('http://cdn.example/', '/live/', '/streams/1'),
  )
})

test('a foreign BaseURL below which something is ours leads there', () => {
  const base = (path: string) =>
    period(`<BaseURL>http://origin:9000/</BaseURL><SegmentTemplate media="${path}"/>`)
  assert.equal(rewrite(base('streams/1.m4s')), base('/live/1.m4s'))
  assert.equal(rewrite(base('other/1.m4s')), base('other/1.m4s'))
})

test('after a redirect a BaseURL is based anew once, and what is below it not again', () => {
  const nested = (one: string) =>
    mpd(`<BaseURL>${one}</BaseURL><Period><BaseURL>p/</BaseURL><SegmentTemplate media="$Time$"/></Period>`)
  assert.equal(rewrite(nested('s/'), MOVED), nested('/live/b/s/'))
  const inherited = (media: string, base: string) =>
    period(`<SegmentTemplate media="${media}"/><Representation><BaseURL>${base}</BaseURL></Representation>`)
  assert.equal(rewrite(inherited('$Time$', 'hd/'), MOVED), inherited('$Time$', '/live/b/hd/'))
  const empty = (media: string) =>
    mpd(`<BaseURL/><BaseURL></BaseURL><Period><SegmentTemplate media="${media}"/></Period>`)
  assert.equal(rewrite(empty('1')), empty('1'))
})

test('XML escapes are undone before an address is looked at, and made again where it changed', () => {
  const base = (text: string) => period(`<BaseURL>${text}</BaseURL>`)
  assert.equal(
    rewrite(base('http&#58;//origin:9000/streams/a?x=1&#38;y=&quot;&lt;')),
    base('/live/a?x=1&amp;y=&quot;&lt;'),
  )
  assert.equal(rewrite(base(`<![CDATA[${ORIGIN}/a?x=1&y=2]]>`)), base('/live/a?x=1&amp;y=2'))
  assert.equal(rewrite(base(` http://origin<!-- x -->:9000/streams/a <?x y?>`)), base(' /live/a'))
  const media = (quoted: string) => period(`<SegmentTemplate media=${quoted} />`)
  assert.equal(rewrite(media(`'${ORIGIN}/a?"b&apos;'`)), media(`'/live/a?&quot;b&apos;'`))
  for (const odd of [
    base(`${ORIGIN}/&what;`),
    base(`${ORIGIN}/a&b`),
    base('x&#x110000;'),
    media('"&lt;>"'),
  ]) {
    assert.equal(rewrite(odd), odd)
    assert.equal(rewrite(odd, HERE), odd)
  }
})

test('xlink:href that resolves to nothing stays', () => {
  const text = mpd('<Period xlink:href="urn:mpeg:dash:resolve-to-zero:2013"/>')
  for (const place of [HERE, MOVED, AWAY]) assert.equal(rewrite(text, place), text)
})

test('remote elements lead to us, and what is relative in them stays, for it is relative to the MPD', () => {
  const remote = (base: string) =>
    `<?xml version="1.0"?><Period><BaseURL>${base}</BaseURL><AdaptationSet><SegmentTemplate media="v/$Number$.m4s"/></AdaptationSet></Period>\n<Period xlink:href="next.xml"/>`
  assert.equal(rewriteDash(remote(`${ORIGIN}/ads/`), MOVED), remote('/live/ads/'))
  assert.equal(rewriteDash(remote('ads/'), MOVED), remote('ads/'))
})

test('a template cannot be led to a host that is not configured', () => {
  for (const media of [
    'http://127.0.0.1/$Time$',
    '//169.254.169.254/$Number$',
    'http://$RepresentationID$/x',
  ]) {
    const text = period(`<SegmentTemplate media="${media}"/>`)
    assert.equal(rewrite(text), text)
  }
})

test('a patch has its addresses lead to us: elements, attributes and texts; relative ones are the MPD’s and stay', () => {
  const patch = (at: string) => `<?xml version="1.0"?>
<p:Patch xmlns:p="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="m" publishTime="2026-01-01T00:00:00Z">
  <p:replace sel="/MPD/@publishTime">${ORIGIN}/</p:replace>
  <p:replace sel="/MPD/PatchLocation[1]">
    <PatchLocation ttl="60">${at}/m.mpp?t=1&amp;u=2</PatchLocation>
  </p:replace>
  <p:replace sel="/MPD/BaseURL[1]/text()">${at}/x/</p:replace>
  <p:replace sel="/MPD/Period[@id='1']/SegmentTemplate/@media"> ${at}/$Time$.m4s</p:replace>
  <p:add sel="/MPD/Period[1]/SegmentTemplate" type="@initialization">${at}/i.mp4</p:add>
  <p:add sel="/MPD" pos="prepend"><Period><BaseURL>${at}/p/</BaseURL><SegmentTemplate media="${at}/x"/></Period></p:add>
  <p:remove sel="/MPD/BaseURL[2]"/>
</p:Patch>`
  assert.equal(rewrite(patch(ORIGIN)), patch('/live'))
  assert.equal(rewrite(patch('/streams'), MOVED), patch('/live'))
  assert.equal(rewrite(patch('x'), MOVED), patch('x'))
})

test('a text that is no MPD is refused, with what was expected and what came', () => {
  const expected = 'expected a whole XML document with the root MPD or Patch, came '
  const cases = [
    ['', 'nothing'],
    ['#EXTM3U', 'an HLS playlist'],
    ['<!DOCTYPE html><html></html>', 'a document type declaration'],
    ['<!DOCTYPE MPD [<!ENTITY a "b">]><MPD>&a;</MPD>', 'a document type declaration'],
    ['<html><body/></html>', 'HTML'],
    ['<Representation/>', '<Representation>'],
    ['<Period/><MPD/>', '<MPD> after the root'],
    ['<MPD/><Period/>', '<Period> after the root'],
    ['<Period/><AdaptationSet/>', '<AdaptationSet> after the root'],
    ['<MPD>', '<MPD> without its end'],
    ['<MPD><Period></MPD>', '</MPD> in the place of </Period>'],
    ['</MPD>', '</MPD> in the place of </>'],
    ['<MPD/><MPD/>', '<MPD> after the root'],
    ['<MPD a="></MPD>', 'a tag, a comment or a CDATA section without its end'],
    ['<MPD', 'a tag, a comment or a CDATA section without its end'],
    ['<MPD><!-- </MPD>', 'a tag, a comment or a CDATA section without its end'],
    ['<MPD><![CDATA[ </MPD>', 'a tag, a comment or a CDATA section without its end'],
    ['<MPD>'.repeat(65), 'elements more than 64 deep'],
  ] as const
  for (const [text, came] of cases) assert.equal(badOf(text), expected + came, text)
})

test('an MPD of 100,000 S elements, lines of 10 MB and unclosed things of any kind come through', () => {
  const times = '<S t="0" d="1" r="2147483647"/>'.repeat(100_000)
  const timeline = (media: string) => period(`<SegmentTemplate media="${media}">${times}</SegmentTemplate>`)
  assert.equal(rewrite(timeline(`${ORIGIN}/$Time$`)), timeline('/live/$Time$'))
  const long = 'a'.repeat(10_000_000)
  const hostile = [
    mpd(`<BaseURL>${long}</BaseURL>`),
    mpd(`<BaseURL>${'&amp;'.repeat(500_000)}</BaseURL>`),
    mpd(`<BaseURL>${'&'.repeat(500_000)}</BaseURL>`),
    mpd(`<BaseURL>${'<!---->'.repeat(200_000)}</BaseURL>`),
    mpd(`<SegmentURL ${long}/>`),
    mpd(`<SegmentURL ${'a="" '.repeat(200_000)}/>`),
    mpd(`<SegmentURL ${'a '.repeat(1_000_000)}/>`),
    mpd(`<SegmentURL${' '.repeat(1_000_000)}/>`),
    mpd('<BaseURL>x</BaseURL>'.repeat(200_000)),
    mpd(`<${long}></${long}>`),
    mpd(`<replace sel="${'BaseURL['.repeat(500_000)}">x</replace>`),
    '<'.repeat(1_000_000),
    '<!--'.repeat(1_000_000),
    `<MPD>${'"'.repeat(1_000_000)}</MPD>`,
  ]
  for (const text of hostile) {
    const rewritten = rewriteDash(text, MOVED)
    assert.ok(typeof rewritten === 'string' || rewritten.bad.length < 300)
  }
})

const uri = fc.oneof(
  fc.constantFrom(
    'a/',
    '../b',
    '/streams/c/',
    '/d',
    `${ORIGIN}/e?s=~&amp;/=`,
    'https://hd.example/',
    '$Time$',
    '',
  ),
  fc.string().map((text) => text.replace(/[<&"]/g, '')),
)
const leaf = fc.oneof(
  uri.map((text) => `<BaseURL>${text}</BaseURL>`),
  uri.map((text) => `<SegmentTemplate media="${text}"/>`),
  uri.map((text) => `<Location>${text}</Location>`),
  fc.constantFrom('<!-- x -->', '\n', '<UTCTiming value="http://origin:9000/streams/"/>', 'text'),
)
const document = fc
  .array(fc.array(leaf, { maxLength: 4 }), { maxLength: 4 })
  .map((levels) =>
    mpd(levels.map((leaves) => `<Period>${leaves.join('')}<AdaptationSet/></Period>`).join('\r\n')),
  )

test('property: an unmapped MPD comes out byte for byte', () => {
  const nobody = new AddressBook([{ prefix: '/', origins: ['http://nobody.example/'] }])
  const place = Place.of(nobody, 'http://nobody.example/a/m.mpd', '/a/m.mpd')
  fc.assert(
    fc.property(document, (text) => {
      assert.equal(rewrite(text, place), text)
    }),
    { numRuns: 500 },
  )
})

test('property: what was rewritten stays when it is read at our address', () => {
  const ours = Place.of(BOOK, 'https://edge.example/live/a/m.mpd', '/live/a/m.mpd')
  fc.assert(
    fc.property(document, fc.constantFrom(HERE, MOVED), (text, place) => {
      const once = rewrite(text, place)
      assert.equal(rewrite(once, ours), once)
    }),
    { numRuns: 500 },
  )
})

test('property: no text whatever makes it throw', () => {
  const pieces = fc.constantFrom(
    '<',
    '>',
    '/',
    '"',
    "'",
    '<!--',
    '-->',
    'MPD',
    '<MPD>',
    '</MPD>',
    '&',
    '=',
    '<?',
    ']]>',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string())), (parts) => {
      rewriteDash(parts.join(''), MOVED)
      rewriteDash(mpd(parts.join('')), MOVED)
    }),
    { numRuns: 2000 },
  )
})
