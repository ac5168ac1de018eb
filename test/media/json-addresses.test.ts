/** The addresses of steering manifests and asset lists lead to us, and every other byte stays. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressBook } from '../../src/media/addresses/address-book.ts'
import { rewriteAssetList, rewriteSteering } from '../../src/media/addresses/json-addresses.ts'
import { Place } from '../../src/media/addresses/place.ts'
import fc from '../support/properties.ts'

const ROUTES = [
  { prefix: '/live/', origins: ['http://origin:9000/streams/'] },
  { prefix: '/same/', origins: ['https://same.example/same/', 'https://same-2.example/same/'] },
]
const place = (publicUrl?: string) =>
  Place.of(new AddressBook(ROUTES, { publicUrl }), 'http://origin:9000/streams/s.json', '/live/s.json')
const HERE = place()
const PUBLIC = place('https://edge.example:8443')
const ORIGIN = 'http://origin:9000/streams'

const steering = (reload: string, host: string, variant: string): string => `{ "VERSION": 1,\t"TTL": 3e2,
  "RELOAD-URI": "${reload}", "PATHWAY-PRIORITY": ["a", "${ORIGIN}/"],
  "PATHWAY-CLONES": [ {"BASE-ID":"a","ID":"b","HOST":"same.example",
    "URI-REPLACEMENT": {"HOST": "${host}", "PARAMS": {"k": "${ORIGIN}/\\u0041"},
      "PER-VARIANT-URIS": {"${ORIGIN}/": "${variant}", "v2": "https://cdn.example/v2"},
      "PER-RENDITION-URIS": {"HOST": "${variant}"}}}, {} ] }\n`

test('a steering manifest is reloaded from us', () => {
  assert.equal(
    rewriteSteering(steering(`${ORIGIN}/s?x=~/=`, 'h', 'v'), HERE),
    steering('/live/s?x=~/=', 'h', 'v'),
  )
  assert.equal(rewriteSteering(steering('s?x', 'h', 'v'), HERE), steering('s?x', 'h', 'v'))
})

test('clones name our host in full, or stay while nobody knows it', () => {
  const written = steering('s', 'same.example', `${ORIGIN}/v.m3u8?a=b`)
  assert.equal(rewriteSteering(written, HERE), written)
  assert.equal(
    rewriteSteering(written, PUBLIC),
    steering('s', 'edge.example', 'https://edge.example:8443/live/v.m3u8?a=b'),
  )
})

test('the host of a clone stays where an address with ours in it would lead elsewhere', () => {
  for (const host of ['origin', 'cdn.example', 'same.example.net', '', 'edge.example']) {
    assert.equal(rewriteSteering(steering('s', host, 'v'), PUBLIC), steering('s', host, 'v'), host)
  }
  assert.equal(
    rewriteSteering(steering('s', 'SAME-2.example', 'v'), PUBLIC),
    steering('s', 'edge.example', 'v'),
  )
})

test('the assets of a list come from us', () => {
  const list = (one: string, two: string) =>
    `\ufeff{"ASSETS":[{"URI":"${one}","DURATION":15.0},\n{"DURATION":1,"URI" : "${two}"}],"URI":"${ORIGIN}/",` +
    `"SKIP-CONTROL":{"URI":"${ORIGIN}/","OFFSET":0},"X":[[{"URI":"${ORIGIN}/"}]]}`
  const written = list(`${ORIGIN}/ad.m3u8`, 'https://ads.example/ad.m3u8')
  assert.equal(rewriteAssetList(written, HERE), list('/live/ad.m3u8', 'https://ads.example/ad.m3u8'))
  assert.equal(
    rewriteAssetList(written, PUBLIC),
    list('https://edge.example:8443/live/ad.m3u8', 'https://ads.example/ad.m3u8'),
  )
})

test('escapes of JSON are undone before an address is looked at, and made again where it changed', () => {
  const list = (uri: string) => `{"ASSETS":[{"U\\u0052I":"${uri}"}]}`
  assert.equal(
    rewriteAssetList(list('http:\\/\\/origin:9000\\/streams\\/a?\\"\\\\'), HERE),
    list('/live/a?\\"\\\\'),
  )
  assert.equal(rewriteAssetList(list('https:\\/\\/x\\/'), HERE), list('https:\\/\\/x\\/'))
})

test('what is no JSON object is refused, with what was expected and what came', () => {
  const came = (text: string) => {
    const rewritten = rewriteSteering(text, HERE)
    assert.ok(typeof rewritten === 'object', text)
    return rewritten.bad
  }
  assert.equal(came(''), 'expected a steering manifest, a JSON object, came nothing')
  assert.equal(came('<html>'), 'expected a steering manifest, a JSON object, came HTML')
  assert.equal(came('[]'), 'expected a steering manifest, a JSON object, came JSON')
  assert.match(came('{"VERSION":1'), /came JSON with an error: ./)
  const list = rewriteAssetList('null', HERE)
  assert.ok(typeof list === 'object')
  assert.match(list.bad, /^expected an asset list, a JSON object, came "null"$/)
})

test('values of another type than they should have, deep nesting and long strings come through', () => {
  const hostile = [
    '{"RELOAD-URI":1,"PATHWAY-CLONES":{"URI-REPLACEMENT":{"HOST":"same.example"}}}',
    '{"RELOAD-URI":["http://origin:9000/streams/"],"PATHWAY-CLONES":["same.example",[{"HOST":"x"}]]}',
    `{"a":${'['.repeat(5000)}"http://origin:9000/streams/"${']'.repeat(5000)}}`,
    `{"RELOAD-URI":"${'\\\\'.repeat(3_000_000)}"}`,
    `{"RELOAD-URI":"${'\\"'.repeat(3_000_000)}"}`,
    `{"a":[${'"b",'.repeat(1_000_000)}""]}`,
  ]
  for (const text of hostile) assert.equal(rewriteSteering(text, PUBLIC), text)
})

test('property: only the addresses of JSON change, and what is unmapped comes out byte for byte', () => {
  const address = fc.oneof(
    fc.constantFrom(`${ORIGIN}/a"\\?`, '/streams/b', 'c', 'https://x.example/'),
    fc.string(),
  )
  const list = fc.record({
    ASSETS: fc.array(fc.record({ URI: address, 'X-NOTE': fc.string() })),
    OTHER: fc.jsonValue({ maxDepth: 3 }),
  })
  fc.assert(
    fc.property(list, fc.constantFrom(0, 2), (value, indent) => {
      const rewritten = rewriteAssetList(JSON.stringify(value, null, indent), HERE)
      assert.ok(typeof rewritten === 'string')
      const ASSETS = value.ASSETS.map((asset) => ({ ...asset, URI: HERE.localise(asset.URI) ?? asset.URI }))
      assert.equal(rewritten, JSON.stringify({ ...value, ASSETS }, null, indent))
    }),
    { numRuns: 500 },
  )
})

test('property: what was rewritten of JSON stays when it is read at our address', () => {
  const ours = Place.of(PUBLIC.book, 'https://edge.example:8443/live/s.json', '/live/s.json')
  const address = fc.constantFrom(
    `${ORIGIN}/a?"\\`,
    '/streams/b',
    'c',
    'https://same.example/same/x',
    'data:,x',
    '',
  )
  const host = fc.constantFrom('same.example', 'origin', 'x.example')
  fc.assert(
    fc.property(address, address, host, (one, other, name) => {
      const [reload, variant] = [one, other].map((value) => JSON.stringify(value).slice(1, -1))
      for (const [rewrite, text] of [
        [rewriteSteering, steering(reload ?? '', name, variant ?? '')],
        [rewriteAssetList, `{"ASSETS":[{"URI":"${reload}"}]}`],
      ] as const) {
        const once = rewrite(text, PUBLIC)
        assert.ok(typeof once === 'string')
        assert.equal(rewrite(once, ours), once)
      }
    }),
  )
})
