/** Generated heads of responses, such as origins send and such as none should. */

import { formatHttpDate } from '../../../src/rfc/http-date.ts'
import fc from '../../support/properties.ts'

/** When every response is received. */
export const RECEIVED = Date.UTC(2026, 5, 15, 12)

export interface Sample {
  readonly status: number
  /** Of the response. */
  readonly headers: Readonly<Record<string, string>>
  /** Of the request. */
  readonly asked: Readonly<Record<string, string>>
  /** How long the response took to come. */
  readonly delayMs: number
  /** How long it has been here; never a whole second, for the other one counts in fractions. */
  readonly residentMs: number
}

const seconds = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('0', '1', '59', '60', '3600', '"60"') },
  { weight: 1, arbitrary: fc.constantFrom('60x', '6.5', '-1', '', '99999999999') },
)
const directive = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom('max-age', 's-maxage'), seconds).map((pair) => pair.join('=')),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom('public', 'private', 'no-store', 'no-cache', 'must-revalidate', 'unknown=1'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'proxy-revalidate',
      'must-understand',
      'immutable',
      'private="x-user, x-other"',
      'no-cache="x-once"',
      'Max-Age=60',
      'NO-STORE',
      'max-age',
      'stale-while-revalidate=60',
    ),
  },
)
const date = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.integer({ min: -4000, max: 4000 }).map((by) => formatHttpDate(RECEIVED + by * 1000)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('0', 'yesterday', '2050-08-18T02:01:18Z', 'Thu, 18 Aug 2050 02:01:18 UTC'),
  },
)
const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined })
/** What touches a fault leaves nothing to compare, so it must not be in every sample. */
const seldom = <Value, Usual>(value: fc.Arbitrary<Value>, usual: Usual): fc.Arbitrary<Value | Usual> =>
  fc.oneof({ weight: 19, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: value })
const ages = fc.constantFrom('0', '30', '59', '7200', '30, 90')
export const samples: fc.Arbitrary<Sample> = fc
  .record({
    status: fc.oneof(
      { weight: 4, arbitrary: fc.constant(200) },
      { weight: 2, arbitrary: fc.constantFrom(203, 204, 301, 302, 404, 410) },
      { weight: 1, arbitrary: fc.constantFrom(201, 206, 304, 403, 500, 503) },
    ),
    cacheControl: optional(fc.array(directive, { minLength: 1, maxLength: 3 }).map((all) => all.join(', '))),
    targeted: seldom(fc.constantFrom('max-age=60', 'no-store', 'nonsense('), undefined),
    expires: optional(date),
    date: optional(seldom(date, formatHttpDate(RECEIVED))),
    lastModified: optional(date),
    age: optional(
      fc.oneof({ weight: 9, arbitrary: ages }, { weight: 1, arbitrary: fc.constantFrom('-5', '90x') }),
    ),
    cookie: seldom(fc.constant('a=b'), undefined),
    vary: optional(fc.constantFrom('*', 'accept', 'accept', 'accept, *')),
    pragma: seldom(fc.constantFrom('no-cache', 'x'), undefined),
    authorization: optional(fc.constant('Basic x')),
    delayMs: seldom(fc.constantFrom(2_000, 90_000), 0),
    residentMs: fc
      .oneof(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 4000 }))
      .map((by) => by * 1000 + 500),
  })
  .map(({ status, delayMs, residentMs, authorization, ...said }) => ({
    status,
    delayMs,
    residentMs,
    asked: given({ authorization }),
    headers: given({
      'cache-control': said.cacheControl,
      'cdn-cache-control': said.targeted,
      'last-modified': said.lastModified,
      'set-cookie': said.cookie,
      expires: said.expires,
      date: said.date,
      age: said.age,
      vary: said.vary,
      pragma: said.pragma,
    }),
  }))

function given(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) kept[name] = value
  return kept
}
