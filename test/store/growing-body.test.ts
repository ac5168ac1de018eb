/** What readers of a body that still arrives may rely on: all bytes in order or an error, and a bounded memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GrowingBody, WINDOW_BYTES } from '../../src/store/growing-body.ts'

const MB = 1024 * 1024

async function all(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(chunks)).toString()
}

function megabyte(letter: string): Buffer {
  return Buffer.alloc(MB, letter)
}

test('a reader gets what has come before it and what comes after', async () => {
  const body = new GrowingBody(undefined)
  body.append(Buffer.from('one '))
  const reading = all(body.read())
  body.append(Buffer.from('two '))
  body.append(Buffer.from('three'))
  body.finish()
  assert.equal(await reading, 'one two three')
  assert.equal(body.size, 13)
})

test('bytes are copied, so that the producer may use its buffer again', async () => {
  const body = new GrowingBody(undefined)
  const chunk = Buffer.from('first')
  body.append(chunk)
  chunk.fill('x')
  body.finish()
  assert.equal(await all(body.read()), 'first')
})

test('what was waited for is still there to be read on from, however much comes in between', async () => {
  const body = new GrowingBody(undefined)
  body.release(undefined)
  const reached = body.reached(MB, 0)
  for (let times = 0; times < 2; times++) body.append(megabyte('a'))
  assert.equal(await reached, 'reached')
  for (let times = 0; times < 8; times++) body.append(megabyte('b'))
  const { value } = await body.read().next()
  assert.equal(
    Buffer.from(value ?? [])
      .subarray(0, 1)
      .toString(),
    'a',
  )
})

test('what only passes is handed on as it came, where nothing else is kept alive by that', async () => {
  const whole = new Uint8Array(8_192).fill(1)
  const part = new Uint8Array(65_536).fill(2).subarray(0, 8_192)
  const small = new Uint8Array(100).fill(3)
  const body = new GrowingBody(3 * 8_192 + 100, true)
  const pieces = [whole, part, small, whole].flatMap((chunk) => [...body.append(chunk)])
  body.finish()
  const bytes = Buffer.concat([whole, part, small, whole])
  assert.ok(Buffer.concat(await Array.fromAsync(body.read())).equals(bytes))
  assert.ok(
    Buffer.concat(await Array.fromAsync(body.read({ first: 8_000, last: 16_500 }))).equals(
      bytes.subarray(8_000, 16_501),
    ),
  )
  assert.equal(pieces[0]?.buffer, whole.buffer)
  assert.ok(pieces.every(({ buffer }) => buffer !== part.buffer && buffer !== small.buffer))
  assert.ok(pieces.every(({ buffer }) => buffer.byteLength <= 65_536))
})

test('what is kept is copied, however it came', async () => {
  const chunk = new Uint8Array(8_192).fill(1)
  const body = new GrowingBody(undefined)
  assert.notEqual(body.append(chunk)[0]?.buffer, chunk.buffer)
})

test('what a reader was handed stays unchanged while more arrives', async () => {
  const body = new GrowingBody(undefined)
  body.append(Buffer.from('first'))
  const reader = body.read()
  const { value } = await reader.next()
  body.append(Buffer.from('second'))
  assert.equal(String(Buffer.from(value ?? [])), 'first')
  await reader.return(undefined)
})

test('every byte is in place across the borders of blocks', async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
  for (const declared of [undefined, bytes.byteLength]) {
    const body = new GrowingBody(declared)
    const reading = Array.fromAsync(body.read())
    for (let at = 0; at < bytes.byteLength; at += 7_001) body.append(bytes.subarray(at, at + 7_001))
    body.finish()
    assert.ok(Buffer.concat(await reading).equals(bytes))
    assert.ok(Buffer.concat(body.chunks ?? []).equals(bytes))
  }
})

test('pieces handed to the store are the bytes that were appended, in order', () => {
  const body = new GrowingBody(undefined)
  const pieces = [...body.append(Buffer.alloc(20_000, 'a')), ...body.append(Buffer.alloc(40_000, 'b'))]
  const text = Buffer.concat(pieces).toString()
  assert.equal(text, 'a'.repeat(20_000) + 'b'.repeat(40_000))
})

test('a range is read from its first byte to its last, and waits for what has not come', async () => {
  const body = new GrowingBody(10)
  body.append(Buffer.from('0123'))
  const reading = all(body.read({ first: 2, last: 6 }))
  body.append(Buffer.from('456789'))
  assert.equal(await reading, '23456')
})

test('a body that breaks is an error for every reader who needs more, and an end for none', async () => {
  const body = new GrowingBody(10)
  body.append(Buffer.from('0123'))
  const whole = all(body.read())
  const part = all(body.read({ first: 0, last: 9 }))
  body.fail(new Error('the origin broke off'))
  await assert.rejects(whole, /the origin broke off/)
  await assert.rejects(part, /the origin broke off/)
  await assert.rejects(all(body.read()), /the origin broke off/)
  assert.equal(body.isJoinable, false)
  assert.equal(body.chunks, undefined)
})

test('a reader who leaves is told its own reason and is no longer counted', async () => {
  const body = new GrowingBody(10)
  body.append(Buffer.from('0123'))
  const leaving = new AbortController()
  const reading = all(body.read(undefined, leaving.signal))
  assert.equal(body.readers, 1)
  leaving.abort(new Error('the viewer left'))
  await assert.rejects(reading, /the viewer left/)
  assert.equal(body.readers, 0)
})

test('chunks are handed out only when the body is whole', () => {
  const body = new GrowingBody(4)
  body.append(Buffer.from('0123'))
  assert.equal(body.chunks, undefined)
  body.finish()
  assert.equal(Buffer.concat(body.chunks ?? []).toString(), '0123')
})

test('an empty body ends at once', async () => {
  const body = new GrowingBody(undefined)
  const reading = all(body.read())
  body.finish()
  assert.equal(await reading, '')
  assert.equal(body.size, 0)
  assert.deepEqual(body.chunks, [])
})

test('reached settles when the bytes have come, when no more will, and rejects when the body breaks', async () => {
  const body = new GrowingBody(undefined)
  const four = body.reached(4, 0)
  const far = body.reached(1000, 0)
  body.append(Buffer.from('0123'))
  await four
  await body.reached(0, 0)
  body.finish()
  await far
  const broken = new GrowingBody(undefined)
  const never = broken.reached(4, 0)
  broken.fail(new Error('broken'))
  await assert.rejects(never, /broken/)
})

test('a body that nobody keeps holds a window behind the tip, and no longer takes new viewers', async () => {
  const body = new GrowingBody(undefined)
  body.release(undefined)
  for (let index = 0; index < 4; index++) body.append(megabyte('a'))
  assert.equal(body.isJoinable, true)
  for (let index = 0; index < 20; index++) body.append(megabyte('b'))
  assert.equal(body.isJoinable, false)
  await assert.rejects(all(body.read()), /byte 0 of the body is no longer held/)
  body.finish()
  assert.equal(body.chunks, undefined)
})

test('a reader within the window of a body that nobody keeps gets all of it', async () => {
  const body = new GrowingBody(undefined)
  body.release(undefined)
  const reader = body.read()
  let read = 0
  for (let index = 0; index < 12; index++) {
    body.append(megabyte('a'))
    while (read < body.received) read += (await reader.next()).value?.byteLength ?? 0
    assert.equal(body.room(1), undefined)
  }
  body.finish()
  assert.equal((await reader.next()).done, true)
  assert.equal(read, 12 * MB)
})

test('who falls behind the window of a body kept on disk reads through the disk', async () => {
  const kept = Buffer.concat(
    Array.from({ length: 12 }, (_, index) => megabyte(String.fromCharCode(97 + index))),
  )
  const body = new GrowingBody(undefined)
  body.release(async ({ first, last }) => kept.subarray(first, last + 1))
  const reader = body.read()
  for (let at = 0; at < kept.byteLength; at += MB) body.append(kept.subarray(at, at + MB))
  // The producer has not been held up by it.
  assert.equal(body.room(1), undefined)
  assert.equal(body.isJoinable, true)
  body.finish()
  assert.ok(Buffer.concat(await Array.fromAsync(reader)).equals(kept))
  assert.ok(
    Buffer.concat(await Array.fromAsync(body.read({ first: 5, last: 5 * MB }))).equals(
      kept.subarray(5, 5 * MB + 1),
    ),
  )
})

test('a reader a whole window behind holds up the producer until it reads on', async () => {
  const body = new GrowingBody(undefined)
  body.release(undefined)
  const reader = body.read()
  body.append(megabyte('a'))
  await reader.next()
  while (body.received < WINDOW_BYTES + 2 * MB) body.append(megabyte('b'))
  const room = body.room(600_000)
  assert.ok(room instanceof Promise)
  await reader.next()
  await room
  await reader.return(undefined)
})

test('a reader who leaves no longer holds up the producer', async () => {
  const body = new GrowingBody(undefined)
  body.release(undefined)
  const reader = body.read()
  body.append(megabyte('a'))
  await reader.next()
  while (body.received < WINDOW_BYTES + 2 * MB) body.append(megabyte('b'))
  const room = body.room(600_000)
  await reader.return(undefined)
  await room
  assert.equal(body.room(600_000), undefined)
})

test('a reader who takes nothing for too long is dropped with an error, never with an end', async () => {
  for (const range of [undefined, { first: 0, last: 20 * MB - 1 }]) {
    const body = new GrowingBody(20 * MB)
    body.release(undefined)
    const reader = body.read(range)
    body.append(megabyte('a'))
    await reader.next()
    while (body.received < WINDOW_BYTES + 2 * MB) body.append(megabyte('b'))
    await body.room(1)
    assert.equal(body.room(1), undefined)
    await assert.rejects(async () => {
      while ((await reader.next()).done !== true);
    }, /a reader took nothing/)
  }
})

test('of several readers of a body that nobody keeps, one who falls a window behind is dropped, and nobody waits for it', async () => {
  const body = new GrowingBody(64 * 1024 * 1024)
  body.release(undefined)
  const slow = body.read()[Symbol.asyncIterator]()
  const fast = body.read()[Symbol.asyncIterator]()
  const chunk = Buffer.alloc(1024 * 1024)
  body.append(chunk)
  await slow.next()
  for (let count = 0; count < 8; count++) {
    await fast.next()
    body.append(chunk)
    assert.equal(body.room(60_000), undefined)
  }
  await assert.rejects(slow.next(), /fell \d+ bytes behind/)
  assert.equal((await fast.next()).done, false)
})
