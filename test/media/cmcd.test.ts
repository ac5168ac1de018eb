/** What players say of themselves is counted when it is well said, and void when it is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CMCD_V2, encodeCmcd } from '@svta/cml-cmcd'
import { MAX_CMCD, MAX_EVENTS, readCmcd, readEvents } from '../../src/media/cmcd.ts'
import fc from '../support/properties.ts'

const query = (cmcd: string, fields = {}) =>
  readCmcd(`/a.m4s?t=1&CMCD=${encodeURIComponent(cmcd)}&z=2`, fields)

test('version 1 is read from the query', () => {
  const cmcd = query(
    'bl=21300,br=3200,bs,cid="film",d=4004,mtp=25400,nor="..%2Fseg2.m4s",nrr="0-99",ot=v,sf=h,sid="6e2f",st=ll,su,tb=6000',
  )
  assert.deepEqual(cmcd, {
    version: 1,
    sid: '6e2f',
    cid: 'film',
    ot: 'v',
    sf: 'h',
    st: 'll',
    sta: undefined,
    br: 3200,
    tb: 6000,
    mtp: 25_400,
    rtp: undefined,
    bl: 21_300,
    dl: undefined,
    d: 4004,
    ltc: undefined,
    msd: undefined,
    pr: undefined,
    bs: true,
    su: true,
    nor: [{ address: '../seg2.m4s', range: { first: 0, last: 99 } }],
  })
})

test('version 2 is read with its lists, of which the first counts', () => {
  const cmcd = query(
    'br=(5000;v 320;a),bl=(900;v),ltc=3000,nor=("seg5.m4s" "seg6%2F.m4s";r="-500"),sid="x",sta=r,v=2',
  )
  assert.deepEqual(
    [cmcd?.version, cmcd?.br, cmcd?.bl, cmcd?.ltc, cmcd?.sta, cmcd?.sid],
    [2, 5000, 900, 3000, 'r', 'x'],
  )
  assert.deepEqual(cmcd?.nor, [
    { address: 'seg5.m4s', range: undefined },
    { address: 'seg6%2F.m4s', range: { suffix: 500 } },
  ])
})

test('headers beat the query, and are one set together', () => {
  const cmcd = query('br=1,sid="query",su', {
    'cmcd-object': 'br=3200',
    'cmcd-session': 'sid="header"',
    'cmcd-request': 'bl=100',
  })
  assert.deepEqual([cmcd?.br, cmcd?.sid, cmcd?.bl, cmcd?.su], [3200, 'header', 100, false])
  assert.equal(query('sid="query"', { 'cmcd-status': '%%%' }), undefined, 'even when they are malformed')
})

test('a version that is not known voids all of it', () => {
  assert.equal(query('br=1,v=3'), undefined)
  assert.equal(query('br=1,v=0'), undefined)
  assert.equal(query('br=1,v=1')?.version, 1)
  assert.equal(query('br=1,v="x"')?.version, 1, 'no version at all')
})

test('ill-typed values are as if they were not there, and unknown keys are looked over', () => {
  const cmcd = query(
    `bl=abc,br=-5,bs=1,cid=token,com.example-x="y",d=1.5,mtp="1",ot=zz,sid=${'"'}${'s'.repeat(65)}",st=x,su=?0,tb=999999999999999`,
  )
  const { version, bs, su, nor, tb, ...rest } = cmcd ?? {}
  assert.deepEqual([version, bs, su, nor, tb], [1, false, false, [], 999_999_999_999_999])
  for (const [name, value] of Object.entries(rest)) {
    // A token and a string are one thing to the library, and a name is a name.
    assert.equal(value, name === 'cid' ? 'token' : undefined, name)
  }
})

test('no report, a malformed one and one that is too long are none', () => {
  assert.equal(readCmcd('/a', {}), undefined)
  assert.equal(readCmcd('/a?cmcd=br%3D1', {}), undefined, 'the name is case-sensitive')
  assert.equal(readCmcd('/a?CMCD=', {}), undefined)
  assert.equal(readCmcd('/a?CMCD=%', {}), undefined)
  assert.equal(readCmcd('/a?CMCD=%FF', {}), undefined)
  for (const malformed of [',,', 'br=1,,', 'br==', '"', 'br=(1', 'BR=1', '__proto__=1'])
    assert.equal(query(malformed), undefined, malformed)
  assert.equal(query(`sid="a",x="${'y'.repeat(MAX_CMCD)}"`), undefined)
  assert.equal(query(`sid="a",x-y="${'y'.repeat(64 * 1024)}"`), undefined)
})

test('more than eight next objects are no hint any more', () => {
  assert.equal(query(`nor=(${'"a" '.repeat(50).trim()}),v=2`)?.nor.length, 8)
})

test('what the library of players writes is what is read', () => {
  fc.assert(
    fc.property(
      fc.record({ br: fc.nat(99_999), bs: fc.boolean(), sid: fc.stringMatching(/^[a-f0-9-]{1,64}$/) }),
      ({ br, bs, sid }) => {
        const written = encodeCmcd({ br: [br], bs, sid, ot: 'v' }, { version: CMCD_V2 })
        const cmcd = query(written)
        assert.deepEqual([cmcd?.version, cmcd?.bs, cmcd?.sid, cmcd?.ot], [2, bs, sid, 'v'], written)
      },
    ),
  )
})

test('whatever comes is a report or none', () => {
  const key = fc.constantFrom('br', 'bl', 'nor', 'nrr', 'v', 'sid', 'su', 'ot', 'x-y')
  const value = fc.constantFrom(
    '1',
    '"a"',
    '(1 2)',
    '("a";r="1-")',
    '?1',
    'tok',
    '1.5',
    '-1',
    ':AA==:',
    '"\\""',
    '@1',
  )
  const dictionary = fc
    .array(fc.tuple(key, value))
    .map((pairs) => pairs.map(([name, written]) => `${name}=${written}`).join(','))
  fc.assert(
    fc.property(fc.oneof(fc.string(), dictionary), (text) => {
      query(text)
      readCmcd(`/a?CMCD=${text}`, { 'cmcd-object': text })
      readEvents(text)
    }),
  )
})

test('events are records, one a line, and a bad one does not void the others', () => {
  const { events, bad, isCut } = readEvents(
    'e=ps,sid="a",sta=r,ts=1700000000000,v=2\n\nbroken,,\nsid="no event",v=2\r\ne=t,v=9\ne=rr,br=(1;v),v=2',
  )
  assert.deepEqual(
    events.map(({ e, ts, sta, br }) => [e, ts, sta, br]),
    [
      ['ps', 1_700_000_000_000, 'r', undefined],
      ['rr', undefined, undefined, 1],
    ],
  )
  assert.deepEqual([bad, isCut], [3, false])
})

test('a body of events is read as far as one may be', () => {
  const many = readEvents('e=t,v=2\n'.repeat(MAX_EVENTS + 1))
  assert.deepEqual([many.events.length, many.isCut], [MAX_EVENTS, true])
  assert.deepEqual(readEvents('x'.repeat(1_000_000)), { events: [], bad: 1, isCut: true })
  assert.deepEqual(readEvents(''), { events: [], bad: 0, isCut: false })
})
