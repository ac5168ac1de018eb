/** Sibling messages are believed when they are signed, whole, recent and new. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PeerAuth, type PeerRequest, type PeerVerdict, readSeal } from '../../src/siblings/peer-auth.ts'
import { testClock } from '../support/clock.ts'
import fc from '../support/properties.ts'

const SECRET = 'a secret of at least 32 characters'
const OTHER = 'another secret of 32 characters or so'

const REQUEST: PeerRequest = {
  method: 'GET',
  target: '/-/peer/v1/obj/main/aHR0cDovL28v',
  peer: 'paris-1',
  body: '{"a":1}',
}

function pair(secrets = { secret: SECRET, acceptedSecret: null }) {
  const clock = testClock()
  const [one, other] = [secrets, secrets].map((own) => new PeerAuth(own, clock.now))
  assert.ok(one && other)
  return { clock, one, other }
}

function reasonOf(verdict: PeerVerdict): string {
  return verdict.kind === 'genuine' ? verdict.kind : verdict.reason
}

test('what a sibling signed is genuine', () => {
  const { one, other } = pair()
  assert.equal(reasonOf(other.verify(one.sign(REQUEST).value, REQUEST)), 'genuine')
})

test('a message without optional fields is genuine as well', () => {
  const { one, other } = pair()
  const request = { method: 'GET', target: '/-/peer/v1/state', peer: 'paris-1' }
  assert.equal(reasonOf(other.verify(one.sign(request).value, request)), 'genuine')
})

test('an unsigned message is refused', () => {
  const { other } = pair()
  assert.equal(reasonOf(other.verify(undefined, REQUEST)), 'unsigned')
})

for (const field of Object.keys(REQUEST)) {
  test(`a signature does not fit a message whose ${field} is another, or is left out`, () => {
    const { one, other } = pair()
    const { value } = one.sign(REQUEST)
    assert.equal(reasonOf(other.verify(value, { ...REQUEST, [field]: 'something-else' })), 'forged')
    assert.equal(reasonOf(other.verify(value, { ...REQUEST, [field]: '' })), 'forged')
    assert.equal(reasonOf(other.verify(value, REQUEST)), 'genuine', 'a forgery does not use the nonce up')
  })
}

test('time and nonce cannot be changed either', () => {
  const { one, other } = pair()
  const parts = one.sign(REQUEST).value.split(' ')
  const [v1, id, seconds, nonce, mac] = parts
  assert.equal(reasonOf(other.verify([v1, id, Number(seconds) + 1, nonce, mac].join(' '), REQUEST)), 'forged')
  assert.equal(reasonOf(other.verify([v1, id, seconds, `${nonce}0`, mac].join(' '), REQUEST)), 'forged')
})

test('a message is believed for 30 seconds before and after its time, and no longer', () => {
  for (const [ms, expected] of [
    [29_000, 'genuine'],
    [31_000, 'expired'],
  ] as const) {
    const late = pair()
    const { value } = late.one.sign(REQUEST)
    late.clock.advance(ms)
    assert.equal(reasonOf(late.other.verify(value, REQUEST)), expected)

    const fast = testClock(Date.UTC(2026, 0, 1) + ms)
    const early = new PeerAuth({ secret: SECRET, acceptedSecret: null }, fast.now)
    assert.equal(reasonOf(pair().other.verify(early.sign(REQUEST).value, REQUEST)), expected)
  }
})

test('a message is believed once, for as long as it would be believed at all', () => {
  const { one, other, clock } = pair()
  const { value } = one.sign(REQUEST)
  assert.equal(reasonOf(other.verify(value, REQUEST)), 'genuine')
  assert.equal(reasonOf(other.verify(value, REQUEST)), 'replayed')
  for (let second = 0; second < 29; second++) {
    clock.advance(1_000)
    assert.equal(reasonOf(other.verify(one.sign(REQUEST).value, REQUEST)), 'genuine', 'others go on')
    assert.equal(reasonOf(other.verify(value, REQUEST)), 'replayed')
  }
  clock.advance(3_000)
  assert.equal(reasonOf(other.verify(value, REQUEST)), 'expired')
})

test('a message that is signed early is not believed twice at the end of its time', () => {
  const { other, clock } = pair()
  const ahead = testClock(clock.now() + 29_000)
  const { value } = new PeerAuth({ secret: SECRET, acceptedSecret: null }, ahead.now).sign(REQUEST)
  assert.equal(reasonOf(other.verify(value, REQUEST)), 'genuine')
  clock.advance(58_000)
  assert.equal(reasonOf(other.verify(value, REQUEST)), 'replayed')
})

test('a secret is changed without a stop: each step is understood by those who have not taken it', () => {
  const clock = testClock()
  const steps = [
    { secret: SECRET, acceptedSecret: null },
    { secret: SECRET, acceptedSecret: OTHER },
    { secret: OTHER, acceptedSecret: SECRET },
    { secret: OTHER, acceptedSecret: null },
  ]
  for (const [index, step] of steps.entries()) {
    const before = new PeerAuth(steps[index - 1] ?? step, clock.now)
    const after = new PeerAuth(step, clock.now)
    assert.equal(reasonOf(after.verify(before.sign(REQUEST).value, REQUEST)), 'genuine')
    assert.equal(reasonOf(before.verify(after.sign(REQUEST).value, REQUEST)), 'genuine')
  }
  const [first, last] = [steps[0], steps[3]]
  assert.ok(first && last)
  const verdict = new PeerAuth(last, clock.now).verify(
    new PeerAuth(first, clock.now).sign(REQUEST).value,
    REQUEST,
  )
  assert.equal(reasonOf(verdict), 'unknown-key')
})

test('an answer fits the request it was signed for, its status and its body', () => {
  const { one, other } = pair()
  const { nonce } = one.sign(REQUEST)
  const value = other.signAnswer(nonce, 200, '{}')
  assert.equal(one.isAnswer(value, nonce, 200, '{}'), true)
  assert.equal(one.isAnswer(value, one.sign(REQUEST).nonce, 200, '{}'), false)
  assert.equal(one.isAnswer(value, nonce, 503, '{}'), false)
  assert.equal(one.isAnswer(value, nonce, 200, '{ }'), false)
  assert.equal(one.isAnswer(undefined, nonce, 200, '{}'), false)
})

test('a seal speaks for what is said in it and for what it covers, once', () => {
  const { one, other } = pair()
  const value = one.seal('1 owner', 'GET /a')
  const verdictOn = (text: string, covered: string): string => {
    const seal = readSeal(text)
    return seal === undefined ? 'unread' : reasonOf(other.verifySeal(seal, covered))
  }
  assert.deepEqual(readSeal(value)?.said, ['1', 'owner'])
  assert.equal(verdictOn(value, 'GET /b'), 'forged')
  assert.equal(verdictOn(value.replace('owner', 'probe'), 'GET /a'), 'forged')
  for (const [index, word] of value.split(' ').entries()) {
    const words = value.split(' ').with(
      index,
      word.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    )
    assert.notEqual(verdictOn(words.join(' '), 'GET /a'), 'genuine', `word ${index}`)
  }
  assert.equal(verdictOn(value, 'GET /a'), 'genuine')
  assert.equal(verdictOn(value, 'GET /a'), 'replayed')
})

test('a seal is believed for 30 seconds', () => {
  const { one, other, clock } = pair()
  const seals = [one.seal('a', 'b'), one.seal('a', 'b')].map(readSeal)
  clock.advance(29_000)
  assert.ok(seals[0] && seals[1])
  assert.equal(reasonOf(other.verifySeal(seals[0], 'b')), 'genuine')
  clock.advance(2_000)
  assert.equal(reasonOf(other.verifySeal(seals[1], 'b')), 'expired')
})

test('whatever comes as a signature is refused, and nothing throws', () => {
  const { other } = pair()
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (value) => {
      assert.equal(other.verify(value, REQUEST).kind, 'refused')
      assert.equal(other.isAnswer(value, 'nonce', 200, ''), false)
      const seal = readSeal(`v2 ${value}`)
      if (seal !== undefined) assert.equal(other.verifySeal(seal, '').kind, 'refused')
    }),
  )
})
