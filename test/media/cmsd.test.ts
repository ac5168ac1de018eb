/** What servers say of their media: read from origins, written for viewers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseList } from 'structured-headers'
import { formatCmsdDynamic, readCmsdStatic } from '../../src/media/cmsd.ts'
import fc from '../support/properties.ts'

test('what an origin says of an object is read, ill-typed members left out', () => {
  assert.deepEqual(
    readCmsdStatic('at=1700000000000,br=5000,d=4000,ht=1500,n="origin",nor="..%2Fb.m4s",nrr="0-9",ot=v'),
    {
      nor: { address: '../b.m4s', range: { first: 0, last: 9 } },
      heldMs: 1500,
      availableAt: 1_700_000_000_000,
      br: 5000,
      d: 4000,
    },
  )
  assert.deepEqual(readCmsdStatic('br="x",d=-1,ht=1.5,nor=5,nrr=7'), {
    nor: undefined,
    heldMs: undefined,
    availableAt: undefined,
    br: undefined,
    d: undefined,
  })
})

test('a field that is absent, malformed or too long is none', () => {
  for (const value of [undefined, 'br=', '%', 'nor="', `n="${'x'.repeat(9000)}"`])
    assert.equal(readCmsdStatic(value), undefined)
  assert.equal(readCmsdStatic('nor="%ff"')?.nor, undefined)
})

test('a hop says what it knows and nothing else', () => {
  assert.equal(
    formatCmsdDynamic({ name: 'edge1', etp: 96_000.4, rtt: 8, mb: 5000, rd: 12, du: true }),
    '"edge1";etp=96000;rtt=8;mb=5000;rd=12;du',
  )
  assert.equal(
    formatCmsdDynamic({ name: 'edge1', du: false, rtt: undefined, rd: -1, etp: Number.NaN }),
    '"edge1"',
  )
  assert.equal(formatCmsdDynamic({ name: 'ü"\\\n', rd: 1e300 }), '"?\\"\\\\?";rd=999999999999999')
})

test('a hop adds itself behind those before, if these are well formed', () => {
  assert.equal(formatCmsdDynamic({ name: 'b', rd: 1 }, '"a";rtt=3'), '"a";rtt=3, "b";rd=1')
  assert.equal(formatCmsdDynamic({ name: 'b' }, '"a'), '"b"')
  // What is no hop is left out, and a date among what one says: the list could not be read again.
  for (const before of ['@0', '5', '"a";at=@0', '(1 2)', 'token'])
    assert.equal(formatCmsdDynamic({ name: 'b' }, before), '"b"')
  assert.equal(parseList(formatCmsdDynamic({ name: 'b' }, '"a", '.repeat(99).slice(0, -2))).length, 17)
})

test('whatever is handed in, a list comes out', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.double(), (name, before, rd) => {
      assert.equal(parseList(formatCmsdDynamic({ name, rd }, before)).length >= 1, true)
      readCmsdStatic(before)
    }),
  )
})
