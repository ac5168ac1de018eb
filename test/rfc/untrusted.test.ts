/** Nothing that comes from the wire makes the law throw, and nothing makes it take more than linear time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { parseCacheControl, responseDirectives } from '../../src/rfc/cache-control.ts'
import { formatCacheStatus } from '../../src/rfc/cache-status.ts'
import { appendCdnLoop, appendVia, endToEnd, loops } from '../../src/rfc/connection.ts'
import { freshnessOf } from '../../src/rfc/freshness.ts'
import type { Fields } from '../../src/rfc/heads.ts'
import { parseHttpDate } from '../../src/rfc/http-date.ts'
import { formatProxyStatus } from '../../src/rfc/proxy-status.ts'
import { parseContentRange, parseRange } from '../../src/rfc/range.ts'
import { selectRanges } from '../../src/rfc/range-set.ts'
import { storability, storedFields } from '../../src/rfc/storability.ts'
import {
  freshen,
  hasStrongValidator,
  notModifiedFields,
  precondition,
  validatorsOf,
} from '../../src/rfc/validation.ts'
import { matches, normalisedEncoding, variantOf } from '../../src/rfc/vary.ts'
import fc from '../support/properties.ts'

const SILENT = { freshMs: 1000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
const POLICY = { cookies: 'forward', silentFreshMs: 1000 } as const

/** Every function of the law that reads what others wrote, once. */
function readAll(asked: Fields, said: Fields): void {
  const request = { method: 'GET', target: '/', fields: asked }
  const response = { status: 200, fields: said }
  responseDirectives(said)
  freshnessOf({ ...response, requestedAt: 0, receivedAt: 0 }, SILENT)
  storability(request, response, POLICY)
  storedFields(response)
  const variant = variantOf(request, response)
  if (variant !== undefined) assert.ok(matches(variant, request))
  validatorsOf(said)
  precondition(request, response)
  freshen(said, asked)
  notModifiedFields(said)
  hasStrongValidator(said)
  selectRanges(request, response, 10)
  endToEnd(asked)
  appendVia(asked, '1.1', 'a')
  appendCdnLoop(asked, 'a')
  loops(asked, 'a')
}

const NAMES = [
  'accept-encoding',
  'accept-language',
  'age',
  'authorization',
  'cache-control',
  'cdn-cache-control',
  'cdn-loop',
  'connection',
  'cookie',
  'constructor',
  'date',
  'etag',
  'expires',
  'foo',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'last-modified',
  'range',
  'set-cookie',
  'vary',
  'via',
]

const fragment = fc.constantFrom(
  ...[
    '"',
    '\\',
    ',',
    ';',
    '=',
    ' ',
    '\t',
    '-',
    '*',
    '(',
    ')',
    ':',
    '?1',
    '@1',
    '%"',
    'W/',
    '0',
    '99999999999999999',
  ],
  ...[
    'max-age',
    'no-cache',
    'private',
    'bytes',
    'gzip',
    'q=0',
    'foo',
    'constructor',
    '__proto__',
    'é',
    '\u0000',
  ],
  'Sun, 06 Nov 1994 08:49:37 GMT',
)
const value = fc.oneof(
  fc.string(),
  fc.array(fragment).map((parts) => parts.join('')),
)
const fields = fc.dictionary(
  fc.constantFrom(...NAMES, '__proto__'),
  fc.oneof(value, fc.array(value, { maxLength: 3 })),
)

test('no field of a request or a response makes the law throw', () => {
  fc.assert(
    fc.property(fields, fields, (asked, said) => readAll(asked, said)),
    { numRuns: 1000 },
  )
})

test('no single value makes a reader or a writer throw', () => {
  fc.assert(
    fc.property(value, value, fc.integer(), (text, other, now) => {
      parseHttpDate(text, now)
      parseCacheControl(text)
      parseRange(text)
      parseContentRange(text)
      normalisedEncoding(text)
      formatCacheStatus(text, { hit: false, detail: other })
      formatProxyStatus(text, { error: other, nextHop: text, details: other })
    }),
    { numRuns: 1000 },
  )
})

/** 64 KB may hide a quadratic time; half a megabyte of it does not end within the bound of the test. */
const LONG = 2 ** 19

const REPEATED = [
  ...['"', ',', ' ', '=', ';', '\\', '-', '0', 'a', '(', '*', '\t', '%', ':'],
  ...[
    '",',
    '="',
    '="\\',
    'a="',
    'a="b",',
    'a=",',
    'a="\\",',
    'a=b, ',
    'W/"',
    '"a", ',
    'a;b="c",',
    '0-0,',
    '-,',
  ],
  ...[
    'max-age=',
    'max-age=1,',
    'no-cache=a,',
    'no-cache="a,b",',
    'private, ',
    'gzip;q=0,',
    ' ,',
    '(a ',
    'a;',
    '" ,',
  ],
]

for (const part of REPEATED) {
  test(`half a megabyte of ${JSON.stringify(part)} is read in linear time`, { timeout: 20_000 }, async () => {
    const text = part.repeat(Math.ceil(LONG / part.length))
    const all = Object.fromEntries(NAMES.map((name) => [name, text]))
    readAll(all, all)
    const nominated = { status: 200, fields: { vary: 'foo, accept-encoding, accept-language' } }
    variantOf({ method: 'GET', target: '/', fields: all }, nominated)
    parseRange(`bytes=${text}`)
    parseContentRange(`bytes ${text}`)
    parseHttpDate(text, 0)
    formatCacheStatus(text, { hit: false, detail: text })
    formatProxyStatus(text, { error: text, details: text })
    // The bound of a test is looked at between turns only.
    await setImmediate()
  })
}
