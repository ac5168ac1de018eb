/** Whatever stands in a field, the law keeps within what it promises: no throw, no number beyond its bounds, no leave that was not given. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CacheControl,
  MAX_DELTA_SECONDS,
  parseCacheControl,
  responseDirectives,
} from '../../src/rfc/cache-control.ts'
import { endToEnd, hopByHopNames } from '../../src/rfc/connection.ts'
import { isStrongTag, listMatches, strongMatch, weakMatch } from '../../src/rfc/entity-tag.ts'
import { ageSeconds, freshnessOf, LAST_INSTANT, remainingSeconds } from '../../src/rfc/freshness.ts'
import type { Fields } from '../../src/rfc/heads.ts'
import { formatHttpDate, parseHttpDate } from '../../src/rfc/http-date.ts'
import { parseContentRange, parseRange } from '../../src/rfc/range.ts'
import { selectRanges } from '../../src/rfc/range-set.ts'
import { storability, storedFields } from '../../src/rfc/storability.ts'
import { freshen, precondition } from '../../src/rfc/validation.ts'
import { matches, variantOf } from '../../src/rfc/vary.ts'
import { FIELD_NAMES, linesOf, valuesOf } from '../support/field-values.ts'
import fc from '../support/properties.ts'

const RUNS = { numRuns: 2000 }
const NOW = Date.UTC(2026, 0, 1)
const MAX = Number.MAX_SAFE_INTEGER
const SILENT = { freshMs: 1000, staleWhileRevalidateMs: 2000, staleIfErrorMs: 3000 }

function fieldsOf(...names: string[]): fc.Arbitrary<Fields> {
  return fc.record(Object.fromEntries(names.map((name) => [name, linesOf(name)])), { requiredKeys: [] })
}

const all = fieldsOf(...FIELD_NAMES)

function isWithin(value: number | undefined, most: number): boolean {
  return value === undefined || (Number.isInteger(value) && value >= 0 && value <= most)
}

function assertSound(directives: CacheControl): void {
  for (const name of [
    'maxAgeSeconds',
    'sMaxageSeconds',
    'staleWhileRevalidateSeconds',
    'staleIfErrorSeconds',
    'minFreshSeconds',
  ] as const)
    assert.ok(isWithin(directives[name], MAX_DELTA_SECONDS), `${name}: ${directives[name]}`)
  const { maxStaleSeconds } = directives
  assert.ok(maxStaleSeconds === 'any' || isWithin(maxStaleSeconds, MAX_DELTA_SECONDS))
  for (const list of [directives.noCache, directives.isPrivate]) {
    assert.ok(list === undefined || list === true || list.every((name) => name === name.toLowerCase()))
  }
}

test('Cache-Control and CDN-Cache-Control: seconds are whole and bounded, names are in lower case', () => {
  fc.assert(
    fc.property(fieldsOf('cache-control', 'cdn-cache-control'), valuesOf('cache-control'), (said, text) => {
      assertSound(responseDirectives(said).directives)
      assertSound(parseCacheControl(text))
    }),
    RUNS,
  )
})

test('Cache-Control: what forbids storing does so whatever stands behind it, and before it but for quotes', () => {
  const values = valuesOf('cache-control')
  const isStored = (value: string): boolean => {
    const response = { status: 200, fields: { 'cache-control': value } }
    const policy = { cookies: 'forward', silentFreshMs: 1000 } as const
    return storability({ method: 'GET', target: '/', fields: {} }, response, policy) === undefined
  }
  fc.assert(
    fc.property(values, fc.constantFrom('no-store', 'private', 'NO-STORE', 'Private'), (text, word) => {
      // Whoever understands the status may set a no-store beside must-understand aside (RFC 9111 section 5.2.2.3).
      if (/must-understand/i.test(text)) return
      assert.ok(!isStored(`${word}, ${text}`), `${word}, ${text}`)
      if (!text.includes('"')) assert.ok(!isStored(`${text}, ${word}`), `${text}, ${word}`)
    }),
    RUNS,
  )
})

test('Age, Date, Expires and the directives: a life on the time line is in order, finite and never longer than time', () => {
  const said = fieldsOf('age', 'date', 'expires', 'cache-control', 'cdn-cache-control', 'last-modified')
  const delay = fc.integer({ min: -5000, max: 500_000 })
  fc.assert(
    fc.property(said, delay, fc.boolean(), (fields, delayMs, held) => {
      const head = { status: 200, fields, requestedAt: NOW - delayMs, receivedAt: NOW }
      const life = freshnessOf(head, SILENT, { held })
      assert.ok(Number.isFinite(life.bornAt) && life.bornAt <= NOW)
      assert.ok(life.bornAt <= life.freshUntil)
      assert.ok(
        life.freshUntil <= life.staleWhileRevalidateUntil && life.freshUntil <= life.staleIfErrorUntil,
      )
      assert.ok(life.staleWhileRevalidateUntil <= LAST_INSTANT && life.staleIfErrorUntil <= LAST_INSTANT)
      if (life.mustValidate) assert.equal(life.freshUntil, life.bornAt)
      for (const now of [NOW, NOW + 1e6, LAST_INSTANT, -LAST_INSTANT]) {
        assert.ok(isWithin(ageSeconds(life, now), MAX_DELTA_SECONDS))
        assert.ok(Number.isSafeInteger(remainingSeconds(life, now)))
      }
    }),
    RUNS,
  )
})

test('Date: what is read can be written and read again, and lies within the years 0000 to 9999', () => {
  fc.assert(
    fc.property(valuesOf('date'), (text) => {
      const at = parseHttpDate(text, NOW)
      if (at === undefined) return
      assert.ok(Number.isInteger(at / 1000), text)
      assert.equal(parseHttpDate(formatHttpDate(at), NOW), at, text)
    }),
    RUNS,
  )
})

test('Vary: what was asked with matches what was stored for it, and `*` matches nothing', () => {
  fc.assert(
    fc.property(fieldsOf('vary'), all, (said, asked) => {
      const request = { method: 'GET', target: '/', fields: asked }
      const variant = variantOf(request, { status: 200, fields: said })
      if (variant === undefined) return
      assert.ok(Object.keys(variant).length <= 32)
      assert.ok(matches(variant, request))
      assert.deepEqual(JSON.parse(JSON.stringify(variant)), { ...variant })
      const members = String(said['vary'] ?? '').split(',')
      assert.ok(!members.some((member) => member.trim() === '*'), String(said['vary']))
    }),
    RUNS,
  )
})

test('Range: at most eight, each in order and within 2^53-1; what is sent lies within the body and nowhere twice', () => {
  fc.assert(
    fc.property(valuesOf('range'), fc.nat(40), (text, size) => {
      const specs = parseRange(text) ?? []
      assert.ok(specs.length <= 8)
      for (const spec of specs) {
        if ('suffix' in spec) assert.ok(isWithin(spec.suffix, MAX))
        else
          assert.ok(isWithin(spec.first, MAX) && spec.first <= (spec.last ?? MAX) && isWithin(spec.last, MAX))
      }
      const request = { method: 'GET', target: '/', fields: { range: text } }
      const selected = selectRanges(request, { status: 200, fields: {} }, size)
      if (typeof selected === 'string') return
      const sent = new Set<number>()
      for (const { first, last } of selected) {
        assert.ok(first <= last && last < size)
        for (let at = first; at <= last; at++) {
          assert.ok(!sent.has(at), `byte ${at} twice for ${text}`)
          sent.add(at)
        }
      }
    }),
    RUNS,
  )
})

test('If-Range: a part is cut only for what is, character for character, a strong validator of what is stored', () => {
  fc.assert(
    fc.property(valuesOf('if-range'), fieldsOf('etag', 'date', 'last-modified'), (condition, stored) => {
      const fields = { range: 'bytes=0-0', 'if-range': condition }
      const selected = selectRanges(
        { method: 'GET', target: '/', fields },
        { status: 200, fields: stored },
        9,
      )
      if (selected === 'whole') return
      const { etag } = stored
      const tag = Array.isArray(etag) && etag.length === 1 ? etag[0] : etag
      const isTag = condition === tag && /^"[^"]*"$/s.test(condition)
      const changedAt = parseHttpDate(String(stored['last-modified']), NOW) ?? Number.NaN
      const sentAt = parseHttpDate(String(stored['date']), NOW) ?? Number.NaN
      const isDate = condition === String(stored['last-modified']) && sentAt - changedAt >= 1000
      assert.ok(isTag || isDate, `${condition} for ${JSON.stringify(stored)}`)
    }),
    RUNS,
  )
})

test('Content-Range: what is concluded from it does not contradict itself', () => {
  fc.assert(
    fc.property(valuesOf('content-range'), (text) => {
      const read = parseContentRange(text)
      if (read === undefined) return
      const { range, size } = read
      assert.ok(isWithin(size, MAX))
      assert.ok(range !== undefined || size !== undefined)
      if (range === undefined) return
      assert.ok(isWithin(range.first, range.last) && isWithin(range.last, (size ?? MAX + 1) - 1), text)
    }),
    RUNS,
  )
})

test('ETag: equality is symmetric, strong implies weak, and a list holds no tag that is not written in it', () => {
  fc.assert(
    fc.property(valuesOf('etag'), valuesOf('etag'), valuesOf('if-none-match'), (one, other, list) => {
      assert.equal(weakMatch(one, other), weakMatch(other, one))
      assert.equal(strongMatch(one, other), strongMatch(other, one))
      if (strongMatch(one, other)) assert.ok(weakMatch(one, other) && isStrongTag(one))
      if (listMatches(list, one)) assert.ok(list.includes(one.replace(/^W\//, '')), `${list} holds ${one}`)
      const request = { method: 'GET', target: '/', fields: { 'if-none-match': list } }
      if (precondition(request, { status: 200, fields: { etag: one } }) === 'not-modified') {
        assert.ok(list === '*' || listMatches(list, one))
      }
    }),
    RUNS,
  )
})

test('ETag: a 304 with a strong tag never freshens what has another', () => {
  fc.assert(
    fc.property(
      fieldsOf('etag', 'last-modified'),
      fieldsOf('etag', 'last-modified', 'cache-control'),
      (stored, told) => {
        const freshened = freshen(stored, told)
        if (freshened === undefined || typeof told['etag'] !== 'string' || !isStrongTag(told['etag'])) return
        assert.deepEqual([stored['etag']].flat(), [told['etag']])
      },
    ),
    RUNS,
  )
})

test('Connection: what ends here does not go on, what is for all does, and what is stored has neither', () => {
  const fields = fc.tuple(all, valuesOf('connection')).map(([others, connection]) => ({
    ...others,
    connection,
    foo: '1',
    te: 'trailers',
    'keep-alive': 'timeout=5',
    'transfer-encoding': 'chunked',
    via: '1.1 a',
    host: 'a',
    'cdn-loop': 'a',
  }))
  fc.assert(
    fc.property(fields, (said) => {
      const kept: Fields = endToEnd(said)
      const names = hopByHopNames(said)
      for (const name of ['connection', 'te', 'keep-alive', 'transfer-encoding', 'upgrade']) {
        assert.equal(kept[name], undefined)
      }
      for (const name of ['via', 'host', 'cdn-loop', 'cache-control']) assert.ok(!names.has(name))
      const isNamed = said.connection
        .toLowerCase()
        .split(',')
        .some((member) => member.trim() === 'foo')
      assert.equal(kept['foo'], isNamed ? undefined : '1')
      const stored = storedFields({ status: 200, fields: said })
      for (const name of names) assert.ok(!Object.hasOwn(stored, name), name)
    }),
    RUNS,
  )
})
