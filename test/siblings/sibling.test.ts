/** One sibling that is asked: what is heard of it as it comes, and what is counted of it. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { PeerAsk } from '../../src/siblings/peer-ask.ts'
import { PeerAuth } from '../../src/siblings/peer-auth.ts'
import type { Positions } from '../../src/siblings/purge-log.ts'
import { memberOf } from '../../src/siblings/roster.ts'
import { Sibling } from '../../src/siblings/sibling.ts'
import { Wires } from '../../src/siblings/wire/wire.ts'
import { until } from '../support/barrier.ts'
import { testClock } from '../support/clock.ts'
import { openRawOrigin, type RawOrigin } from '../support/raw-origin.ts'
import { SECRET } from '../support/siblings.ts'

const OBJECT = 'HTTP/1.1 200 OK\r\nrelais-rate: 3\r\ncontent-length: 5\r\n\r\nhello'
const ABSENT = 'HTTP/1.1 504 No\r\nrelais-error: absent\r\ncontent-length: 0\r\n\r\n'
const REFUSED = 'HTTP/1.1 403 No\r\nrelais-error: refused\r\ncontent-length: 0\r\n\r\n'

interface Setting {
  readonly lacked?: Positions
  readonly connections?: number
  readonly queue?: number
}

interface Play {
  readonly origin: RawOrigin
  readonly sibling: Sibling
  readonly wires: Wires
  readonly troubles: readonly string[]
  /** Asks, and notes what is heard, word by word. */
  call(role?: PeerAsk['role']): { readonly words: string[]; readonly call: ReturnType<Sibling['call']> }
}

async function play(
  t: TestContext,
  answer: (socket: Socket) => unknown,
  setting: Setting = {},
): Promise<Play> {
  const { lacked = {}, connections = 4, queue = 4 } = setting
  const origin = await openRawOrigin(t, answer)
  const { now: clock } = testClock()
  const wires = new Wires({ connectMs: 5_000, idleMs: 5_000, bodyMs: 5_000, queue })
  t.after(() => wires.close())
  const self = memberOf({ id: 'self', url: '' })
  const troubles: string[] = []
  const sibling = new Sibling('other', origin.url, {
    ...{ wires, connections, heldConnections: 1, clock, patienceMs: 5_000 },
    auth: new PeerAuth({ secret: SECRET, acceptedSecret: null }, clock),
    roster: { self, members: () => [self], digest: () => '0'.repeat(16), onChange: () => () => undefined },
    lackedBy: () => lacked,
    onTrouble: (what) => troubles.push(what),
  })
  const call = (role: PeerAsk['role'] = 'owner'): ReturnType<Play['call']> => {
    const words: string[] = []
    const request = { method: 'GET', target: 'seg.ts', fields: {} }
    const ask: PeerAsk = { routeId: '0'.repeat(16), prefix: '/', request, role, hop: 1, held: undefined }
    return {
      words,
      call: sibling.call(ask, {
        heard: (heard) => words.push(heard.kind === 'object' ? `rate ${heard.rate}` : heard.kind),
        piece(bytes, giveBack) {
          words.push(bytes.toString())
          giveBack()
        },
        ended: () => words.push('ended'),
        failed: ({ code }) => words.push(code),
      }),
    }
  }
  return { origin, sibling, wires, troubles, call }
}

const untilSaid = (words: readonly string[], last: string): Promise<void> =>
  until(() => words.at(-1) === last, `${last} is heard`)

test('an object is heard head, body and end, after the call has returned, and its bytes are counted', async (t) => {
  const { sibling, call } = await play(t, (socket) => socket.write(OBJECT))
  const { words } = call()
  assert.deepEqual(words, [])
  await untilSaid(words, 'ended')
  assert.deepEqual(words, ['rate 3', 'hello', 'ended'])
  const { asked, answered, failed, bytes } = sibling.counts()
  assert.deepEqual([asked, answered, failed, bytes], [1, 1, 0, 5])
})

test('what is no object is the only word, and its connection carries the next request', async (t) => {
  const { wires, sibling, call } = await play(t, (socket) => socket.write(ABSENT))
  for (let count = 0; count < 3; count++) {
    const { words } = call('probe')
    await untilSaid(words, 'refused')
    assert.deepEqual(words, ['refused'])
  }
  assert.equal(wires.open, 1)
  assert.equal(sibling.counts().answered, 3)
})

test('what no operator wants is told once, and such a sibling is left alone', async (t) => {
  const { troubles, sibling, call } = await play(t, (socket) => socket.write(REFUSED))
  for (let count = 0; count < 2; count++) await untilSaid(call().words, 'refused')
  assert.equal(troubles.length, 1)
  assert.equal(sibling.isPassable, false)
  assert.equal(sibling.counts().penalised, 2)
})

test('a head that contradicts the request is a failure, and nothing of its body is heard', async (t) => {
  const { wires, sibling, call } = await play(t, (socket) =>
    socket.write(
      'HTTP/1.1 206 OK\r\ncontent-range: bytes 0-99999/100000\r\ncontent-length: 100000\r\n\r\nhello',
    ),
  )
  const { words } = call()
  await untilSaid(words, 'RESPONSE_RANGE')
  await until(() => wires.open === 0, 'the connection is closed')
  assert.deepEqual(words, ['RESPONSE_RANGE'])
  const { failed, penalised, bytes } = sibling.counts()
  assert.deepEqual([failed, penalised, bytes], [1, 1, 0])
})

test('a body that breaks off is a failure, but no reason to leave the sibling alone', async (t) => {
  const { sibling, call } = await play(t, (socket) => socket.end(OBJECT.slice(0, -2)))
  const { words } = call()
  await untilSaid(words, 'RESPONSE_INCOMPLETE')
  assert.deepEqual(words, ['rate 3', 'hel', 'RESPONSE_INCOMPLETE'])
  const { answered, failed, penalised } = sibling.counts()
  assert.deepEqual([answered, failed, penalised], [1, 1, 0])
})

test('who leaves hears nothing more, and that is no failure of the sibling', async (t) => {
  const { origin, sibling, wires, call } = await play(t, () => undefined)
  const asked = call()
  await until(() => origin.requests === 1, 'it was asked')
  asked.call?.leave()
  await until(() => wires.open === 0, 'the connection is closed')
  assert.deepEqual(asked.words, [])
  assert.deepEqual([sibling.counts().failed, sibling.isPassable], [0, true])
})

test('that too many ask at once fails those beyond, and is no fault of the sibling', async (t) => {
  const { origin, sibling, call } = await play(t, () => undefined, { connections: 1, queue: 1 })
  call()
  call()
  const { words } = call()
  await untilSaid(words, 'CONNECTION_LIMIT')
  await until(() => origin.requests === 1, 'the first one came')
  assert.deepEqual([sibling.counts().failed, sibling.isPassable], [1, true])
})

test('who lacks more purges than can be told is not asked', async (t) => {
  const lacked = Object.fromEntries([...Array(10_000).keys()].map((nth) => [`node-${nth}`, 1]))
  const { origin, sibling, call } = await play(t, () => undefined, { lacked })
  const asked = call()
  assert.equal(asked.call, undefined)
  assert.deepEqual([sibling.counts().asked, origin.requests], [0, 0])
})
