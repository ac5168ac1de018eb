/** However the bytes of responses are split into reads, the same is heard. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeadReader } from '../../../src/siblings/wire/response-head.ts'
import { ResponseReader } from '../../../src/siblings/wire/response-reader.ts'
import fc from '../../support/properties.ts'
import { openRawOrigin } from '../../support/raw-origin.ts'
import { openTestWire } from './support/test-wire.ts'

const RESPONSES: readonly (readonly [string, string])[] = [
  ['HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 11\r\n\r\nhello world', '200 b hello world'],
  ['HTTP/1.1 204 No Content\r\na: c\r\n\r\n', '204 c '],
  [
    'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 206 Part\r\na: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n06\r\n world\r\n0\r\nx: y\r\n\r\n',
    '206 d hello world',
  ],
  ['HTTP/1.1 503 No\r\na: e\r\ncontent-length: 0\r\n\r\n', '503 e '],
]

test('one byte at a time or all at once, a response is the same', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...RESPONSES), { minLength: 1, maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (responses, sizes) => {
        const heard: string[] = []
        let now = ''
        const reader = new ResponseReader(new HeadReader(), {
          interim: () => undefined,
          head: (status, fields) => {
            now = `${status} ${String(fields['a'])} `
          },
          part: (bytes, from, to) => {
            now += bytes.toString('latin1', from, to)
          },
        })
        let turn = 0
        for (const [bytes] of responses) {
          reader.await(false)
          for (let at = 0; at < bytes.length; ) {
            const size = sizes[turn++ % sizes.length] ?? 1
            const read = Buffer.from(bytes.slice(at, at + size))
            for (let done = 0; done < read.byteLength; ) {
              assert.equal(reader.isOver, false)
              done = reader.step(read, done, read.byteLength)
            }
            at += size
          }
          assert.ok(reader.isOver)
          heard.push(now)
        }
        assert.deepEqual(
          heard,
          responses.map(([, said]) => said),
        )
      },
    ),
    { numRuns: 500 },
  )
})

test('a forbidden line is found wherever a read ends within it', () => {
  const bytes = 'HTTP/1.1 200 OK\r\na: b\r\n c: d\r\ncontent-length: 0\r\n\r\n'
  for (let split = 1; split < bytes.length; split++) {
    const sink = { interim: () => undefined, head: () => undefined, part: () => undefined }
    const reader = new ResponseReader(new HeadReader(), sink)
    reader.await(false)
    assert.throws(() => {
      for (const part of [bytes.slice(0, split), bytes.slice(split)])
        reader.step(Buffer.from(part), 0, part.length)
    }, /CR LF/)
  }
})

test('a response that is written byte by byte is heard as it is', async (t) => {
  const [[bytes] = ['']] = RESPONSES
  const origin = await openRawOrigin(t, async (socket) => {
    socket.setNoDelay()
    for (const byte of bytes) {
      await new Promise((written) => socket.write(byte, written))
      await new Promise((turn) => setImmediate(turn))
    }
  })
  const asked = openTestWire(t, origin.url).ask()
  await asked.over
  assert.equal(asked.body.toString(), 'hello world')
  assert.equal(asked.fields['a'], 'b')
})
