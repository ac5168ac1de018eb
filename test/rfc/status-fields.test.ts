/** Cache-Status and Proxy-Status: what is written here, any reader of structured fields understands. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseList, serializeList, Token } from 'structured-headers'
import {
  appendMember,
  type CacheStatus,
  CacheStatusWriter,
  formatCacheStatus,
} from '../../src/rfc/cache-status.ts'
import { formatProxyStatus } from '../../src/rfc/proxy-status.ts'
import fc from '../support/properties.ts'

/** The events of RFC 9211 section 4 and those of this proxy. */
const EVENTS: readonly (readonly [CacheStatus, string])[] = [
  [{ hit: true, ttl: 376 }, 'paris-1; hit; ttl=376'],
  [{ hit: true, ttl: -412, detail: 'SWR' }, 'paris-1; hit; ttl=-412; detail=SWR'],
  [{ hit: true, fwd: 'stale', fwdStatus: 304, stored: true, collapsed: true }, 'paris-1; hit'],
  [{ hit: false, fwd: 'uri-miss', stored: true }, 'paris-1; fwd=uri-miss; stored'],
  [{ hit: false, fwd: 'uri-miss', stored: false }, 'paris-1; fwd=uri-miss'],
  [
    { hit: false, fwd: 'uri-miss', stored: true, collapsed: true },
    'paris-1; fwd=uri-miss; stored; collapsed',
  ],
  [{ hit: false, fwd: 'uri-miss', collapsed: false }, 'paris-1; fwd=uri-miss; collapsed=?0'],
  [{ hit: false, fwd: 'stale', fwdStatus: 304, ttl: 3 }, 'paris-1; fwd=stale; fwd-status=304; ttl=3'],
  [{ hit: false, fwd: 'partial', fwdStatus: 206 }, 'paris-1; fwd=partial; fwd-status=206'],
  [
    { hit: false, fwd: 'bypass', detail: 'not storable: private' },
    'paris-1; fwd=bypass; detail="not storable: private"',
  ],
  [{ hit: false }, 'paris-1'],
]
for (const [status, expected] of EVENTS) {
  test(`${JSON.stringify(status)} is written ${expected}`, () => {
    assert.equal(formatCacheStatus('paris-1', status), expected)
  })
}

test('members of caches nearer to the origin stand first', () => {
  assert.equal(appendMember(undefined, 'b; hit'), 'b; hit')
  assert.equal(appendMember('', 'b; hit'), 'b; hit')
  assert.equal(appendMember('a; fwd=miss', 'b; hit'), 'a; fwd=miss, b; hit')
})

const name = fc.oneof(
  fc.constantFrom('paris-1', '9edge', 'edge.isp:80', '', '*', 'é "x"\\', 'a\r\nb'),
  fc.string(),
)

/** The text of a token or a string, as a structured field can hold it. */
function carried(text: string): string {
  return text.replace(/[^ -~]/g, '?')
}

const statuses: fc.Arbitrary<CacheStatus> = fc.record({
  hit: fc.boolean(),
  fwd: fc.constantFrom<CacheStatus['fwd']>(undefined, 'bypass', 'uri-miss', 'stale', 'partial'),
  fwdStatus: fc.option(fc.integer({ min: 100, max: 599 }), { nil: undefined }),
  ttl: fc.option(fc.oneof(fc.double({ noNaN: true }), fc.integer()), { nil: undefined }),
  stored: fc.option(fc.boolean(), { nil: undefined }),
  collapsed: fc.option(fc.boolean(), { nil: undefined }),
  detail: fc.option(name, { nil: undefined }),
})

test('any Cache-Status is one member that says what it was made of', () => {
  fc.assert(
    fc.property(name, statuses, (node, status) => {
      const [member, ...others] = parseList(formatCacheStatus(node, status))
      assert.ok(member !== undefined && others.length === 0)
      const [value, parameters] = member
      assert.equal(String(value), carried(node))
      assert.equal(parameters.get('hit'), status.hit ? true : undefined)
      assert.equal(parameters.get('fwd')?.toString(), status.hit ? undefined : status.fwd)
      assert.equal(parameters.get('fwd-status'), status.hit ? undefined : status.fwdStatus)
      assert.equal(parameters.get('collapsed'), status.hit ? undefined : status.collapsed)
      assert.equal(parameters.get('stored') === true, !status.hit && status.stored === true)
      assert.equal(Number.isInteger(parameters.get('ttl')), status.ttl !== undefined)
      assert.equal(parameters.get('detail')?.toString(), status.detail && carried(status.detail))
    }),
  )
})

test('but for the spaces between parameters, a Cache-Status is what the library makes of it', () => {
  fc.assert(
    fc.property(name, statuses, (node, status) => {
      const written = formatCacheStatus(node, status)
      const canonical = serializeList(parseList(written))
      // No string in it holds a semicolon and a space: what is taken out stands between parameters.
      if (!/; /.test(`${node}${status.detail}`)) assert.equal(written.replaceAll('; ', ';'), canonical)
    }),
  )
})

test('what a writer has prepared is what would be made of the same status', () => {
  fc.assert(
    fc.property(name, statuses, (node, status) => {
      const writer = new CacheStatusWriter(node)
      assert.equal(writer.write(status), formatCacheStatus(node, status))
      const hit = { hit: true, ttl: status.ttl }
      assert.equal(writer.write(hit), formatCacheStatus(node, hit))
    }),
    { numRuns: 500 },
  )
})

test('an error is told with its next hop and details', () => {
  const status = { error: 'connection_timeout', nextHop: 'origin-1', details: 'after 5 s: "no" é\n' }
  assert.equal(
    formatProxyStatus('paris-1', status),
    'paris-1;error=connection_timeout;next-hop=origin-1;details="after 5 s: \\"no\\" ??"',
  )
  assert.equal(formatProxyStatus('paris 1', { error: 'dns_error' }), '"paris 1";error=dns_error')
  assert.equal(
    formatProxyStatus('paris-1', { nextHop: 'origin-1:9000', receivedStatus: 503 }),
    'paris-1;next-hop=origin-1:9000;received-status=503',
  )
})

test('any Proxy-Status is one member that says what it was made of', () => {
  fc.assert(
    fc.property(name, name, fc.option(name, { nil: undefined }), (node, nextHop, details) => {
      const [member, ...others] = parseList(formatProxyStatus(node, { error: 'dns_error', nextHop, details }))
      assert.ok(member !== undefined && others.length === 0)
      const [value, parameters] = member
      assert.equal(String(value), carried(node))
      assert.deepEqual(parameters.get('error'), new Token('dns_error'))
      assert.equal(parameters.get('next-hop')?.toString(), carried(nextHop))
      assert.equal(parameters.get('details'), details === undefined ? undefined : carried(details))
    }),
  )
})
