/** Who walks along with a fill, when it is given up, and who gets what may not be shared. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { type Flight, Flights } from '../../src/cache/flights.ts'
import type { Filled } from '../../src/cache/journey.ts'
import type { StoredResponse } from '../../src/store/store.ts'
import type { UpstreamResponse } from '../../src/upstream/source.ts'
import { requestOf, storedOf } from './support/route.ts'

const NEVER = new AbortController().signal
const ALWAYS = (): boolean => true

interface Play {
  readonly flights: Flights
  readonly flight: Flight
  readonly outcome: PromiseWithResolvers<Filled>
  readonly land: () => void
  /** Of the flight itself: aborted when it is given up. */
  readonly signal: AbortSignal
}

function takeOff(): Play {
  const flights = new Flights()
  const outcome = Promise.withResolvers<Filled>()
  const landed = Promise.withResolvers<void>()
  let signal = NEVER
  const flight = flights.start('/a', (own) => {
    signal = own
    return { outcome: outcome.promise, landed: landed.promise }
  })
  return { flights, flight, outcome, land: landed.resolve, signal }
}

function filledWith(stored: StoredResponse): Filled {
  return { kind: 'stored', stored, fwdStatus: 200, kept: true }
}

function notStorable(onCancel: () => void): Filled {
  const head = { status: 200, fields: {}, requestedAt: 0, receivedAt: 0 }
  const response: UpstreamResponse = {
    head,
    from: 'origin',
    url: 'http://origin/',
    body: Readable.from([]),
    cancel: onCancel,
  }
  return { kind: 'not-storable', reason: 'private', response, isAsked: true }
}

test('before its head has come, anyone may walk along', () => {
  const { flights, flight } = takeOff()
  assert.equal(flights.find('/a', requestOf(), ALWAYS), flight)
  assert.equal(flights.find('/b', requestOf(), ALWAYS), undefined)
  assert.equal(flights.size, 1)
})

test('after its head has come, those may whom it fits', async () => {
  const { flights, flight, outcome } = takeOff()
  const stored = storedOf()
  const varied = { ...stored, head: { ...stored.head, variant: { 'accept-encoding': 'gzip' } } }
  outcome.resolve(filledWith(varied))
  await flight.wait('leader', NEVER)
  const zipped = requestOf({ 'accept-encoding': 'gzip' })
  assert.equal(flights.find('/a', zipped, ALWAYS), flight)
  assert.equal(flights.find('/a', requestOf(), ALWAYS), undefined)
  assert.equal(
    flights.find('/a', zipped, () => false),
    undefined,
  )
})

test('nobody joins what may not be stored', async () => {
  const { flights, flight, outcome } = takeOff()
  outcome.resolve(notStorable(() => undefined))
  await flight.wait('leader', NEVER)
  assert.equal(flights.find('/a', requestOf(), ALWAYS), undefined)
})

test('a flight is over when it has landed', async () => {
  const { flights, flight, outcome, land } = takeOff()
  outcome.resolve(filledWith(storedOf()))
  await flight.wait('leader', NEVER)
  assert.equal(flights.size, 1)
  land()
  await flight.landed
  assert.equal(flights.size, 0)
  assert.equal(flights.has('/a'), false)
})

test('it is given up when the last who waits has left, and not before', async () => {
  const { flights, flight, signal } = takeOff()
  const [first, second] = [new AbortController(), new AbortController()]
  const waiting = [flight.wait('leader', first.signal), flight.wait('follower', second.signal)]
  first.abort(new Error('the first left'))
  await assert.rejects(waiting[0] ?? Promise.resolve(), /the first left/)
  assert.equal(signal.aborted, false)
  assert.equal(flight.isAwaited, true)
  second.abort(new Error('the second left'))
  await assert.rejects(waiting[1] ?? Promise.resolve(), /the second left/)
  assert.equal(signal.aborted, true)
  // Who comes before it has failed of that sets out anew.
  assert.equal(flights.find('/a', requestOf(), ALWAYS), undefined)
})

test('a head that has come is not given up because those who waited are gone', async () => {
  const { flight, outcome, signal } = takeOff()
  const leaving = new AbortController()
  outcome.resolve(filledWith(storedOf()))
  await flight.wait('leader', leaving.signal)
  leaving.abort()
  assert.equal(signal.aborted, false)
})

test('what may not be stored is cancelled when the leader has left, though others wait', async () => {
  const { flight, outcome, signal } = takeOff()
  let cancelled = 0
  const leaving = new AbortController()
  const leader = flight.wait('leader', leaving.signal)
  const follower = flight.wait('follower', NEVER)
  leaving.abort(new Error('left'))
  await assert.rejects(leader, /left/)
  assert.equal(signal.aborted, false)
  outcome.resolve(notStorable(() => cancelled++))
  assert.equal((await follower).kind, 'not-storable')
  assert.equal(cancelled, 1)
})

test('what may not be stored is kept for a leader who is here', async () => {
  const { flight, outcome } = takeOff()
  let cancelled = 0
  const leader = flight.wait('leader', NEVER)
  outcome.resolve(notStorable(() => cancelled++))
  await leader
  assert.equal(cancelled, 0)
})

test('all who wait are told what went wrong', async () => {
  const { flight, outcome } = takeOff()
  const waiting = [flight.wait('leader', NEVER), flight.wait('follower', NEVER)]
  outcome.reject(new Error('the origin failed'))
  for (const one of waiting) await assert.rejects(one, /the origin failed/)
})

test('who has left already does not wait', async () => {
  const { flight, signal } = takeOff()
  await assert.rejects(flight.wait('leader', AbortSignal.abort(new Error('gone'))), /gone/)
  assert.equal(signal.aborted, true)
})
