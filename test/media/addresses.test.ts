/** Which references lead viewers to us, which stay, and that nothing of them changes but where they lead. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressBook, type AddressBookOptions } from '../../src/media/addresses/address-book.ts'
import { Place } from '../../src/media/addresses/place.ts'
import fc from '../support/properties.ts'

const ROUTES = [
  { prefix: '/live/', origins: ['http://origin-1:9000/streams/', 'http://origin-2:9000/streams/'] },
  { prefix: '/films/', origins: ['https://films.example/'] },
  { prefix: '/', origins: ['http://all.example/'] },
]

function here(options: AddressBookOptions = {}): Place {
  return Place.of(
    new AddressBook(ROUTES, options),
    'http://origin-1:9000/streams/a/index.m3u8?t=1',
    '/live/a/index.m3u8?t=1',
  )
}

/** One line a case: the reference, and what it becomes; undefined: it stays. */
function check(place: Place, cases: readonly (readonly [string, string | undefined])[]): void {
  for (const [reference, expected] of cases) assert.equal(place.localise(reference), expected, reference)
}

test('a path-relative reference stays as it is', () => {
  check(here(), [
    ['b.m3u8', undefined],
    ['../b.m3u8?x=1', undefined],
    ['../../streams/b.m3u8', '/live/b.m3u8'],
    ['./b/c.ts#t=1', undefined],
    ['?x=1', undefined],
    ['', undefined],
    ['#x', undefined],
    ['c//d.ts', undefined],
  ])
})

test('root-relative, scheme-relative and absolute references to an origin lead to the prefix of its route', () => {
  check(here(), [
    ['/streams/b/c.ts', '/live/b/c.ts'],
    ['//origin-1:9000/streams/b.ts', '/live/b.ts'],
    ['http://origin-1:9000/streams/b.ts', '/live/b.ts'],
    ['http://origin-2:9000/streams/', '/live/'],
    ['https://films.example/a.mp4', '/films/a.mp4'],
    ['//films.example/a.mp4', '/films/a.mp4'],
    ['https://films.example', '/films/'],
    ['https://films.example?a=b', '/films/?a=b'],
    ['http://all.example/x', '/x'],
  ])
})

test('scheme, host and port are compared as they are meant, the path as it is written', () => {
  check(here(), [
    ['HTTP://Origin-1:9000/streams/b.ts', '/live/b.ts'],
    ['https://films.example:443/a', '/films/a'],
    ['https://FILMS.example:0443/a', '/films/a'],
    ['http://all.example:80/a', '/a'],
    ['http://films.example/a', undefined],
    ['https://films.example:8443/a', undefined],
    ['http://origin-1/streams/b.ts', undefined],
    ['http://origin-1:9000/Streams/b.ts', undefined],
    ['http://origin-1:9000/streamsx/b.ts', undefined],
    ['http://origin-1:9000/streams', undefined],
    ['http://origin-1:9000/other/b.ts', undefined],
    ['/other/b.ts', undefined],
  ])
})

test('what is for nobody here stays: other schemes, other hosts, credentials, what players read differently', () => {
  check(here(), [
    ['http://cdn.example/streams/b.ts', undefined],
    ['//cdn.example/streams/b.ts', undefined],
    ['data:text/plain,http://origin-1:9000/streams/b.ts', undefined],
    ['skd://origin-1:9000/streams/key', undefined],
    ['urn:mpeg:dash:resolve-to-zero:2013', undefined],
    ['http://user:pass@origin-1:9000/streams/b.ts', undefined],
    ['http://origin-1:9000@cdn.example/streams/b.ts', undefined],
    ['http:/streams/b.ts', undefined],
    ['http:streams/b.ts', undefined],
    ['http:///streams/b.ts', undefined],
    ['http:\\\\origin-1:9000\\streams\\b.ts', undefined],
    ['/streams\\b.ts', undefined],
    ['/streams/b c.ts', undefined],
    ['http://origin-1:9000', undefined],
    ['http://origin-1:99999/streams/b.ts', undefined],
    ['http://[::1/streams/b.ts', undefined],
  ])
})

test('addresses inside the network are mapped for a configured origin alone', () => {
  const inside = [
    'http://127.0.0.1/x',
    'http://127.1/x',
    'http://2130706433/x',
    'http://[::1]/x',
    'http://[::ffff:127.0.0.1]/x',
    'http://localhost/x',
    'http://169.254.169.254/latest/meta-data/',
    'http://[fe80::1]/x',
    'http://metadata.google.internal/x',
    'http://10.0.0.1/x',
  ]
  for (const reference of inside) assert.equal(here().localise(reference), undefined, reference)
  const book = new AddressBook([{ prefix: '/lab/', origins: ['http://127.0.0.1/', 'http://[::1]:8080/'] }])
  const place = Place.of(book, 'http://127.0.0.1/m.mpd', '/lab/m.mpd')
  check(place, [
    ['http://127.0.0.1/x', '/lab/x'],
    ['http://127.1/x', '/lab/x'],
    ['http://[0:0::1]:8080/x', '/lab/x'],
    ['http://169.254.169.254/x', undefined],
  ])
})

test('dot segments decide where a reference leads, and stay where they mean the same', () => {
  check(here(), [
    ['/streams/a/../b.ts', '/live/a/../b.ts'],
    ['/streams/../secret/b.ts', undefined],
    ['/streams/%2e%2E/secret/b.ts', undefined],
    ['/streams/a/../../secret', undefined],
    ['/x/../streams/b.ts', '/live/b.ts'],
    ['/streams/../streams/b.ts', '/live/b.ts'],
    ['/streams/./b.ts', '/live/./b.ts'],
    ['/streams/a/..', '/live/a/..'],
    ['/streams/..', undefined],
    ['http://all.example//..', '/'],
    ['http://all.example//../x', '/x'],
  ])
})

test('queries, fragments, templates and variables come out byte for byte', () => {
  const tails = [
    '?token=a~b=/c%2Fd%2f+e&&=;',
    '?url=http://origin-1:9000/streams/&x=../../y',
    '?a=b?c#d?e',
    '?a=\\b c',
    '#xywh=1/2',
  ]
  for (const tail of tails) assert.equal(here().localise(`/streams/b.ts${tail}`), `/live/b.ts${tail}`)
  check(here(), [
    ['/streams/$RepresentationID$/$Number%05d$.m4s', '/live/$RepresentationID$/$Number%05d$.m4s'],
    ['http://origin-1:9000/streams/{$path}/b%2fc%C3%A9.ts', '/live/{$path}/b%2fc%C3%A9.ts'],
    ['{$base}/b.ts', undefined],
    ['http://{$host}/streams/b.ts', undefined],
    ['http://origin-1:9000{$path}/b.ts', undefined],
    ['$Time$.m4s', undefined],
  ])
})

test('the longest path of an origin wins, of equal ones the route that the manifest is asked under', () => {
  const book = new AddressBook([
    { prefix: '/one/', origins: ['http://o/'] },
    { prefix: '/two/', origins: ['http://o/'] },
    { prefix: '/sport/', origins: ['http://o/live/sport/'] },
  ])
  const asked = (prefix: string) => Place.of(book, 'http://o/m.m3u8', `${prefix}m.m3u8`)
  check(asked('/one/'), [
    ['/a.ts', '/one/a.ts'],
    ['/live/sport/a.ts', '/sport/a.ts'],
  ])
  check(asked('/two/'), [
    ['/a.ts', '/two/a.ts'],
    ['/live/sportive.ts', '/two/live/sportive.ts'],
    ['live/sport/a.ts', undefined],
  ])
})

test('an address whose path here would belong to another route, to us or to a host stays', () => {
  const reserved = /^\/stats/
  const book = new AddressBook(
    [
      { prefix: '/', origins: ['http://o/'] },
      { prefix: '/live/', origins: ['http://other/'] },
    ],
    { reserved },
  )
  check(Place.of(book, 'http://o/m.m3u8', '/m.m3u8'), [
    ['http://o/live/a.ts', undefined],
    ['http://o/x/../live/a.ts', undefined],
    ['http://o/lively/a.ts', '/lively/a.ts'],
    ['http://o/stats', undefined],
    ['http://o//other/a.ts', undefined],
    ['http://other//a.ts', '/live//a.ts'],
  ])
})

test('a host that is listed as an alias leads to the path that is named for it', () => {
  const place = here({
    aliases: { 'http://cdn.example/': '/live/', 'https://cdn.example/vod/': '/films/hd/' },
  })
  check(place, [
    ['http://cdn.example/b.ts?x', '/live/b.ts?x'],
    ['https://cdn.example/vod/b.ts', '/films/hd/b.ts'],
    ['https://cdn.example/b.ts', undefined],
  ])
})

test('a manifest that a redirect brought has its relative references based anew', () => {
  const book = new AddressBook(ROUTES)
  check(Place.of(book, 'http://origin-2:9000/streams/b/c/index.m3u8?sig=1', '/live/a/index.m3u8'), [
    ['d.ts?x=1', '/live/b/c/d.ts?x=1'],
    ['../d.ts', '/live/b/c/../d.ts'],
    ['../../../d.ts', 'http://origin-2:9000/streams/b/c/../../../d.ts'],
    ['?period=2', '/live/b/c/index.m3u8?period=2'],
    ['/streams/d.ts', '/live/d.ts'],
    ['/d.ts', 'http://origin-2:9000/d.ts'],
    ['$Number%05d$.m4s', '/live/b/c/$Number%05d$.m4s'],
    ['{$v}/d.ts', undefined],
    ['http://cdn.example/d.ts', undefined],
  ])
  check(Place.of(book, 'https://cdn.example/x/index.m3u8', '/live/a/index.m3u8'), [
    ['d.ts', 'https://cdn.example/x/d.ts'],
    ['/d.ts', 'https://cdn.example/d.ts'],
    ['//origin-1:9000/streams/d.ts', '/live/d.ts'],
    ['http://origin-1:9000/streams/d.ts', '/live/d.ts'],
  ])
})

test('a redirect to another file of the same directory, or another origin of the route, changes nothing', () => {
  const book = new AddressBook(ROUTES)
  for (const fetched of [
    'http://origin-1:9000/streams/a/v2.m3u8',
    'http://ORIGIN-2:9000/streams/a/index.m3u8',
  ]) {
    check(Place.of(book, fetched, '/live/a/index.m3u8'), [['d.ts', undefined]])
  }
  const spaced = Place.of(book, 'http://origin-1:9000/streams/%C3%A9/i.m3u8', '/live/é/i.m3u8')
  check(spaced, [['d.ts', undefined]])
})

test('what comes from our own address is in our words already', () => {
  const book = new AddressBook(ROUTES, { publicUrl: 'https://edge.example' })
  const place = Place.of(book, 'https://edge.example/live/a/index.m3u8', '/live/a/index.m3u8')
  check(place, [
    ['/streams/b.ts', undefined],
    ['/live/b.ts', undefined],
    ['b.ts', undefined],
    ['https://edge.example/live/b.ts', undefined],
    ['http://origin-1:9000/streams/b.ts', '/live/b.ts'],
  ])
})

test('an address that has to be absolute gets our host where that is known', () => {
  const reference = 'http://origin-1:9000/streams/ad.m3u8'
  assert.equal(here().localise(reference, 'absolute'), '/live/ad.m3u8')
  const place = here({ publicUrl: 'https://edge.example:8443/' })
  assert.equal(place.localise(reference, 'absolute'), 'https://edge.example:8443/live/ad.m3u8')
  assert.equal(place.localise('https://ads.example/x', 'absolute'), undefined)
})

test('what a book cannot be made of is named', () => {
  const route = (prefix: string, origin: string) => () => new AddressBook([{ prefix, origins: [origin] }])
  assert.throws(route('/live', 'http://o/'), /a route prefix to begin and end with a slash, came \/live/)
  assert.throws(route('/', 'http://o/x'), /the path of http:\/\/o\/x to begin and end with a slash/)
  assert.throws(route('/', 'ftp://o/'), /expected an http or https URL .*, came ftp:/)
  assert.throws(route('/', 'http://a:b@o/'), /without query, fragment and credentials/)
  const options = (options: AddressBookOptions) => () =>
    new AddressBook([{ prefix: '/a/', origins: ['http://o/'] }], options)
  assert.throws(options({ aliases: { 'http://cdn/': '/b/' } }), /below a route's prefix for http:\/\/cdn\//)
  assert.throws(options({ publicUrl: 'https://edge/x' }), /scheme, host and port, came https:\/\/edge\/x/)
  assert.throws(
    () => Place.of(new AddressBook(ROUTES), '/x', '/x'),
    /an absolute http or https URL, came \/x/,
  )
  assert.throws(() => Place.of(new AddressBook(ROUTES), 'http://o/x', 'x'), /a path of ours, came x/)
})

const name = fc.constantFrom('a', 'b', 'live', 'streams', '%2e', 'x~=%2F', '$Number%05d$', '{$v}')
const segment = fc.oneof(
  { weight: 4, arbitrary: name },
  { weight: 1, arbitrary: fc.constantFrom('.', '..', '') },
)
const directory = fc
  .array(fc.constantFrom('a', 'b', 'live', 'streams'), { maxLength: 3 })
  .map((names) => ['', ...names, ''].join('/'))
const host = fc.constantFrom('http://one', 'http://one:8080', 'https://two', 'http://cdn')
const tail = fc.constantFrom('', '?s=a/../b~=+%2f&x', '?', '#f')
const front = fc.oneof(
  host,
  fc.constantFrom('', '/', '//one:80/', '//two/', '//cdn/', 'HTTP://One/', '../', './'),
)
const reference = fc
  .tuple(front, fc.array(segment, { maxLength: 5 }), tail)
  .map(([start, segments, end]) =>
    /^https?:..[a-z:0-9]*$/.test(start)
      ? `${start}/${segments.join('/')}${end}`
      : start + segments.join('/') + end,
  )
const routes = fc
  .uniqueArray(fc.tuple(directory, fc.array(fc.tuple(host, directory), { minLength: 1, maxLength: 2 })), {
    minLength: 1,
    maxLength: 3,
    selector: ([prefix]) => prefix,
  })
  .map((list) =>
    list.map(([prefix, origins]) => ({ prefix, origins: origins.map(([base, path]) => base + path) })),
  )

test('property: a viewer who follows what was changed comes to what the reference meant at the origin', () => {
  fc.assert(
    fc.property(routes, reference, fc.nat(), fc.nat(), directory, fc.option(host), (...drawn) => {
      const [table, written, at, from, below, redirect] = drawn
      const route = table[at % table.length]
      const origin = route?.origins[from % route.origins.length]
      if (route === undefined || origin === undefined) return
      const asked = `${route.prefix + below.slice(1)}m.m3u8`
      const fetched = redirect === null ? `${origin + below.slice(1)}m.m3u8` : `${redirect + below}r/m.m3u8`
      const changed = Place.of(new AddressBook(table), fetched, asked).localise(written)
      if (changed === undefined) return
      const meant = new URL(written, fetched).href
      const viewed = new URL(changed, `http://edge${asked}`)
      if (viewed.host !== 'edge') return assert.equal(viewed.href, meant)
      const answering = table
        .filter(({ prefix }) => viewed.pathname.startsWith(prefix))
        .toSorted((one, other) => other.prefix.length - one.prefix.length)[0]
      const answers = (answering?.origins ?? []).map(
        (base) => new URL(base + viewed.href.slice(`http://edge${answering?.prefix}`.length)).href,
      )
      // Without a scheme it means the viewer's.
      const both = written.startsWith('//')
        ? ['http:', 'https:'].map((scheme) => new URL(scheme + written).href)
        : [meant]
      assert.ok(
        both.some((one) => answers.includes(one)),
        `${written} -> ${changed}: ${meant} is not of ${answers.join(' ')}`,
      )
    }),
    { numRuns: 2000 },
  )
})

test('property: what was changed is left as it is when it is read at our address, and so is what was not', () => {
  fc.assert(
    fc.property(routes, reference, (table, written) => {
      const route = table[0]
      const book = new AddressBook(table, { publicUrl: 'https://edge' })
      const place = Place.of(book, `${route?.origins[0]}m.m3u8`, `${route?.prefix}m.m3u8`)
      const once = place.localise(written) ?? written
      const ours = Place.of(book, `https://edge${route?.prefix}m.m3u8`, `${route?.prefix}m.m3u8`)
      assert.equal(ours.localise(once), undefined)
      assert.equal(place.localise(written), once === written ? undefined : once, 'a function of its input')
    }),
    { numRuns: 2000 },
  )
})

test('property: where every origin has the paths that we have, twice is once', () => {
  fc.assert(
    fc.property(routes, reference, (table, written) => {
      const same = table.map(({ prefix, origins }) => ({
        prefix,
        origins: origins.map((origin) => new URL(prefix, origin).href),
      }))
      const place = Place.of(
        new AddressBook(same),
        `${same[0]?.origins[0]}m.m3u8`,
        `${same[0]?.prefix}m.m3u8`,
      )
      const once = place.localise(written) ?? written
      assert.equal(place.localise(once) ?? once, once)
    }),
    { numRuns: 2000 },
  )
})

test('property: one reference becomes the same whatever was asked before it', () => {
  const reserved = /^\/(?:a$|b\/)/
  fc.assert(
    fc.property(routes, fc.array(reference, { minLength: 2, maxLength: 20 }), fc.option(host), (...drawn) => {
      const [table, references, redirect] = drawn
      const book = new AddressBook(table, { reserved })
      const fetched = redirect === null ? `${table[0]?.origins[0]}m.m3u8` : `${redirect}/r/m.m3u8`
      const place = Place.of(book, fetched, `${table[0]?.prefix}m.m3u8`)
      for (const written of references) {
        const alone = Place.of(book, fetched, `${table[0]?.prefix}m.m3u8`).localise(written)
        assert.equal(place.localise(written), alone)
        // Without a public URL the two forms are one; this one is never remembered.
        assert.equal(place.localise(written, 'absolute'), alone)
        if (alone?.startsWith('/')) assert.ok(!reserved.test(new URL(alone, 'http://edge/').pathname), alone)
      }
    }),
    { numRuns: 2000 },
  )
})

test('property: with nothing mapped no reference changes', () => {
  const nobody = new AddressBook([{ prefix: '/', origins: ['http://nobody.example/'] }])
  const place = Place.of(nobody, 'http://nobody.example/a/m.m3u8', '/a/m.m3u8')
  fc.assert(
    fc.property(fc.oneof(reference, fc.string()), (written) => {
      assert.equal(place.localise(written), undefined)
    }),
    { numRuns: 3000 },
  )
})
