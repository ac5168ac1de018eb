/** Which responses of siblings are heard, and which are refused with a word on what is wrong with them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../support/barrier.ts'
import fc from '../../support/properties.ts'
import { openRawOrigin } from '../../support/raw-origin.ts'
import { openTestWire, untilGone } from './support/test-wire.ts'

const ok = (fields: string, body = ''): string => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`

const HEARD: readonly (readonly [string, string, string])[] = [
  ['has a length', ok('content-length: 5\r\n', 'hello'), 'hello'],
  ['has no bytes', ok('content-length: 0\r\n'), ''],
  ['is chunked', ok('transfer-encoding: chunked\r\n', '3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'), 'hello'],
  [
    'is chunked in capitals',
    ok('Transfer-Encoding: Chunked\r\n', '00A\r\n0123456789\r\n0\r\n\r\n'),
    '0123456789',
  ],
  ['has trailers', ok('transfer-encoding: chunked\r\n', '1\r\nx\r\n0\r\na: b\r\nc: d\r\n\r\n'), 'x'],
  ['has no reason', 'HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\nx', 'x'],
  ['is 204', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
  [
    'is 304 and says how long the body would be',
    'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n',
    '',
  ],
  [
    'comes after others that are none yet',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ok('content-length: 1\r\n', 'x')}`,
    'x',
  ],
]

for (const [what, bytes, body] of HEARD) {
  test(`a response that ${what} is heard whole, and its connection carries the next one`, async (t) => {
    const origin = await openRawOrigin(t, (socket) => socket.write(bytes))
    const { ask, wire } = openTestWire(t, origin.url)
    for (let count = 0; count < 2; count++) {
      const asked = ask()
      await asked.over
      assert.equal(asked.error, undefined)
      assert.equal(asked.body.toString(), body)
    }
    assert.deepEqual(wire.counts(), { connections: 1, idle: 1, waiting: 0 })
  })
}

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['is no HTTP', 'nonsense\r\n\r\n', /status line/],
  ['is no HTTP and has no end', 'nonsense', /status line/],
  ['is of HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n', /status line/],
  ['has a status of two digits', 'HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n', /status line/],
  ['has a status of nobody', 'HTTP/1.1 600 OK\r\ncontent-length: 0\r\n\r\n', /status line/],
  ['has no space behind the status', 'HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n', /status line/],
  ['ends its lines with LF', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n', /CR LF/],
  ['has a bare CR', ok('a: b\rc: d\r\ncontent-length: 0\r\n'), /CR LF/],
  ['has a bare CR at the end of its last line', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\r\n\r\n', /CR LF/],
  ['folds a line', ok('a: b\r\n c\r\ncontent-length: 0\r\n'), /CR LF/],
  ['has a NUL in a field', ok('a: b\0c\r\ncontent-length: 0\r\n'), /controls/],
  ['has a line that is no field', ok('nonsense\r\ncontent-length: 0\r\n'), /a field/],
  ['has a field without name', ok(': b\r\ncontent-length: 0\r\n'), /name of a field/],
  ['has a space before the colon', ok('content-length : 0\r\n'), /name of a field/],
  ['has two lengths', ok('content-length: 5\r\ncontent-length: 6\r\n', 'hello'), /one content-length/],
  ['has one length twice', ok('content-length: 5\r\ncontent-length: 5\r\n', 'hello'), /one content-length/],
  ['has a length that is no number', ok('content-length: +5\r\n', 'hello'), /one content-length/],
  [
    'has a length and chunks',
    ok('content-length: 5\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'),
    /or a transfer/,
  ],
  ['has another transfer coding', ok('transfer-encoding: gzip, chunked\r\n', '0\r\n\r\n'), /but chunked/],
  ['has neither length nor chunks', ok('a: b\r\n', 'hello'), /content-length or chunks/],
  ['changes the protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', /another protocol/],
  ['has a head without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(60_000)}`, /at most 49152 bytes/],
  ['has a head that is too long', ok(`x: ${'y'.repeat(50_000)}\r\n`), /at most 49152 bytes/],
  ['has too many fields', ok('a: b\r\n'.repeat(200)), /at most 128 fields/],
]

for (const [what, bytes, said] of REFUSED) {
  test(`a response that ${what} is refused with a word why, and its connection closed`, async (t) => {
    const origin = await openRawOrigin(t, (socket) => socket.write(bytes))
    const wire = openTestWire(t, origin.url)
    const asked = wire.ask()
    await asked.over
    assert.deepEqual(asked.words, ['failed'])
    assert.match(asked.error?.message ?? '', said)
    assert.match(asked.error?.code ?? '', /^RESPONSE_(?:PROTOCOL|HEAD_TOO_LARGE)$/)
    assert.equal(asked.error?.nextHop, 'other')
    await untilGone(wire)
  })
}

const BAD_CHUNKS: readonly (readonly [string, string])[] = [
  ['no size', '\r\nx\r\n0\r\n\r\n'],
  ['a size that is none', 'g\r\nx\r\n0\r\n\r\n'],
  ['a size of nine digits', '000000001\r\nx\r\n0\r\n\r\n'],
  ['an extension', '1;a=b\r\nx\r\n0\r\n\r\n'],
  ['a size that ends in LF', '1\nx\r\n0\r\n\r\n'],
  ['more data than told', '1\r\nxy\r\n0\r\n\r\n'],
  ['a trailer that ends in LF', '1\r\nx\r\n0\r\na: b\n\r\n'],
  ['trailers without end', `1\r\nx\r\n0\r\n${'a: b\r\n'.repeat(10_000)}`],
]

for (const [what, chunks] of BAD_CHUNKS) {
  test(`chunks with ${what} break the body off`, async (t) => {
    const origin = await openRawOrigin(t, (socket) =>
      socket.write(ok('transfer-encoding: chunked\r\n', chunks)),
    )
    const wire = openTestWire(t, origin.url)
    const asked = wire.ask()
    await asked.over
    assert.equal(asked.error?.code, 'RESPONSE_PROTOCOL')
    assert.equal(asked.words.at(-1), 'failed')
    await untilGone(wire)
  })
}

test('fields keep their lines, their order and their bytes; only the white space around them goes', async (t) => {
  const fields = 'X-One: a\r\nx-two:\t b \t\r\nX-one:c\r\nconstructor: d\r\nx-e: \xc3\xa0\r\nempty:\r\n'
  const origin = await openRawOrigin(t, (socket) =>
    socket.write(ok(`${fields}content-length: 0\r\n`), 'latin1'),
  )
  const asked = openTestWire(t, origin.url).ask()
  await asked.over
  assert.deepEqual(asked.fields, {
    'x-one': ['a', 'c'],
    'x-two': 'b',
    constructor: 'd',
    'x-e': '\xc3\xa0',
    empty: '',
    'content-length': '0',
  })
})

test('a response to HEAD has a length and no body', async (t) => {
  const origin = await openRawOrigin(t, (socket) => socket.write(ok('content-length: 500\r\n')))
  const { ask, wire } = openTestWire(t, origin.url)
  for (let count = 0; count < 2; count++) {
    const asked = ask({ isHead: true })
    await asked.over
    assert.deepEqual(asked.words, ['head', 'ended'])
  }
  assert.equal(wire.counts().idle, 1)
})

test('a body that breaks off is no whole one, whether by its length or by chunks', async (t) => {
  const bodies = [ok('content-length: 9\r\n', 'half'), ok('transfer-encoding: chunked\r\n', '4\r\nhalf\r\n')]
  const origin = await openRawOrigin(t, (socket, _, nth) => socket.end(bodies[nth - 1] ?? ''))
  const wire = openTestWire(t, origin.url)
  for (const _ of bodies) {
    const asked = wire.ask()
    await asked.over
    assert.deepEqual(asked.words, ['head', 'piece', 'failed'])
    assert.equal(asked.error?.code, 'RESPONSE_INCOMPLETE')
    assert.equal(asked.body.toString(), 'half')
  }
  assert.equal(origin.requests, 2)
})

test('bytes behind a response are heard by nobody, and close the connection', async (t) => {
  const origin = await openRawOrigin(t, (socket) =>
    socket.write(ok('content-length: 5\r\n', 'hello and more')),
  )
  const wire = openTestWire(t, origin.url)
  const asked = wire.ask()
  await asked.over
  assert.equal(asked.body.toString(), 'hello')
  assert.equal(wire.wire.counts().idle, 0)
  await untilGone(wire)
})

test('bytes on a connection that carries nothing close it', async (t) => {
  let speak = (): unknown => undefined
  const origin = await openRawOrigin(t, (socket) => {
    speak = () => socket.write('more')
    socket.write(ok('content-length: 0\r\n'))
  })
  const wire = openTestWire(t, origin.url)
  await wire.ask().over
  assert.equal(wire.wire.counts().idle, 1)
  speak()
  await untilGone(wire)
})

test('whatever bytes come, a request ends one way or the other, and nothing is thrown', async (t) => {
  let bytes = Buffer.alloc(0)
  const origin = await openRawOrigin(t, (socket) => socket.end(bytes))
  const wire = openTestWire(t, origin.url)
  const starts = [
    '',
    'HTTP/1.1 200 OK\r\n',
    ok('content-length: 40\r\n'),
    ok('transfer-encoding: chunked\r\n'),
  ]
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...starts),
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }).map((some) => Buffer.from(some)),
        fc
          .array(fc.constantFrom('\r\n', '\n', '\r', ':', ' ', '0', 'a', '5', 'HTTP/1.1 102 P\r\n\r\n'))
          .map((some) => Buffer.from(some.join(''))),
      ),
      async (start, rest) => {
        bytes = Buffer.concat([Buffer.from(start), rest])
        const asked = wire.ask()
        await asked.over
        assert.equal(asked.words.filter((word) => word === 'ended' || word === 'failed').length, 1)
        await until(() => wire.wire.counts().connections === 0, 'the connection is closed')
      },
    ),
    { numRuns: 300 },
  )
})
