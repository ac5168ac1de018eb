/** A state that a sibling sent is read whole or refused in one sentence, and a name belongs to one node. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PassportControl } from '../../src/siblings/passport.ts'
import { loadOf, readState, type SiblingState, writeState } from '../../src/siblings/sibling-state.ts'
import fc from '../support/properties.ts'

const STATE: SiblingState = {
  id: 'paris-2',
  instance: 'one',
  cluster: 'relais',
  release: '0.1.0',
  url: 'http://10.0.0.2:8090',
  publicUrl: undefined,
  zone: 'paris',
  weight: 2,
  state: 'active',
  isBeginning: true,
  digest: '0123456789abcdef',
  purges: { 'paris-1:x': 7 },
  figures: { inflight: 3, egressBps: 5e8, capacityBps: 1e9, elu: 0.25, missesPerSecond: 1.5 },
}

function sent(changes: object = {}): unknown {
  return JSON.parse(JSON.stringify({ ...writeState(STATE), ...changes }))
}

test('what is written is read again', () => {
  assert.deepEqual(readState(sent(), 'relais'), { state: STATE })
  const publicUrl = 'https://paris-2.example'
  assert.deepEqual(readState(sent({ publicUrl }), 'relais'), { state: { ...STATE, publicUrl } })
})

test('one that does not say whether it is beginning runs for long', () => {
  // JSON has no word for it, so it is not there at all.
  assert.deepEqual(readState(sent({ isBeginning: undefined }), 'relais'), {
    state: { ...STATE, isBeginning: false },
  })
})

test('another protocol, algorithm or cluster is named in one line, whatever else the message has', () => {
  const bad = (message: object): unknown => readState(message, 'relais')
  assert.deepEqual(bad({ id: 'paris-2', protocol: 1, news: true }), {
    id: 'paris-2',
    bad: 'expected protocol 2, came 1',
  })
  assert.deepEqual(bad({ id: 'paris-2', protocol: 2, algorithm: 'hrw2' }), {
    id: 'paris-2',
    bad: 'expected algorithm hrw1, came "hrw2"',
  })
  assert.deepEqual(readState(sent(), 'lyon'), { id: 'paris-2', bad: 'expected cluster lyon, came "relais"' })
})

for (const [field, values] of Object.entries({
  id: ['', '1st', 'x'.repeat(65), null],
  instance: ['', 7, 'x'.repeat(300)],
  url: ['http://me:pass@host', 'ftp://host', 'http://host/path', 7, null],
  publicUrl: ['http://host/path', 7],
  zone: ['', 'a b', null],
  weight: [0, -1, 101, '1', null],
  digest: ['', '0123', 7],
  state: ['suspect', '', null],
  isBeginning: [1, 'true', null],
  purges: [null, [], { 'paris-1': -1 }, { 'paris-1': 1.5 }, { 'no name': 1 }],
  figures: [null, {}, { ...STATE.figures, elu: 2 }, { ...STATE.figures, inflight: -1 }],
})) {
  test(`a state whose ${field} is none is refused`, () => {
    for (const value of values)
      assert.ok('bad' in readState(sent({ [field]: value }), 'relais'), String(value))
    const { [field]: _, ...rest } = sent() as Record<string, unknown>
    if (field !== 'publicUrl' && field !== 'isBeginning')
      assert.ok('bad' in readState(rest, 'relais'), `without ${field}`)
  })
}

test('whatever comes is read or refused, and nothing throws', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.dictionary(fc.constantFrom(...Object.keys(STATE)), fc.jsonValue()),
      (any, changes) => {
        assert.ok('bad' in readState(any, 'relais'))
        const read = readState(sent(changes), 'relais')
        assert.ok('bad' in read ? read.bad.length < 300 : true)
      },
    ),
  )
})

test('the load of a node is that of the busiest of what it has', () => {
  assert.equal(loadOf(STATE.figures), 0.5)
  assert.equal(loadOf({ ...STATE.figures, elu: 0.75 }), 0.75)
  assert.equal(loadOf({ ...STATE.figures, egressBps: 5e9 }), 1)
  assert.equal(loadOf({ ...STATE.figures, capacityBps: 0 }), 0.25)
})

function control() {
  const lines: string[] = []
  const passports = new PassportControl({
    id: 'paris-1',
    instance: 'mine',
    cluster: 'relais',
    onRefused: (line) => lines.push(line),
  })
  return { lines, passports }
}

test('a node knows itself, and another one that has its name', () => {
  const { lines, passports } = control()
  assert.equal(passports.read(sent({ id: 'paris-1', instance: 'mine' }), undefined, 0), 'self')
  assert.equal(passports.read(sent({ id: 'paris-1', instance: 'other' }), undefined, 0), 'refused')
  assert.deepEqual(lines, [
    'another node at http://10.0.0.2:8090 is called paris-1 as this one is, and is refused: each needs a name of its own',
  ])
})

test('who answers where another one was expected is refused', () => {
  const { lines, passports } = control()
  const from = { id: 'paris-3', url: 'http://10.0.0.3:8090' }
  assert.equal(passports.read(sent(), from, 0), 'refused')
  assert.deepEqual(lines, [
    'expected paris-3 at http://10.0.0.3:8090, and paris-2 answers there: it is refused',
  ])
  assert.deepEqual(passports.read(sent(), { ...from, id: undefined }, 0), STATE)
})

test('a node that begins anew is believed at once, and the last word of its last life is not', () => {
  const { lines, passports } = control()
  const again = { ...STATE, instance: 'two' }
  assert.deepEqual(passports.read(sent(), undefined, 0), STATE)
  assert.deepEqual(passports.read(sent({ instance: 'two' }), undefined, 1_000), again)
  assert.equal(passports.read(sent(), undefined, 1_500), 'refused')
  assert.deepEqual(passports.read(sent({ instance: 'two' }), undefined, 60_000), again)
  assert.deepEqual(lines, [])
})

test('of two with one name the later one is believed, and the other again when that is silent for long', () => {
  const { lines, passports } = control()
  passports.read(sent(), undefined, 0)
  for (let now = 1_000; now < 10_000; now += 1_000) {
    assert.notEqual(passports.read(sent({ instance: 'two' }), undefined, now), 'refused')
    assert.equal(passports.read(sent(), undefined, now), 'refused')
  }
  assert.equal(new Set(lines).size, 1)
  assert.match(lines[0] ?? '', /^two nodes are called paris-2: the one at http:\/\/10.0.0.2:8090 is refused/)
  assert.deepEqual(passports.read(sent(), undefined, 30_000), STATE)
})
