/** The bytes of bodies: none is lost when its hearer pauses, and none changes before it is given back. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { Slabs, SMALL_BYTES } from '../../../src/siblings/wire/slabs.ts'
import { until } from '../../support/barrier.ts'
import fc from '../../support/properties.ts'
import { openRawOrigin } from '../../support/raw-origin.ts'
import { openTestWire } from './support/test-wire.ts'

const MIB = 1024 * 1024

/** Each of them differs from its neighbours, near and far. */
function bodyOf(bytes: number, seed = 0): Buffer {
  const body = Buffer.alloc(bytes)
  for (let at = 0; at + 4 <= bytes; at += 4) body.writeUInt32LE((at + seed * 2_654_435_761) >>> 0, at)
  return body
}

function answer(socket: Socket, body: Buffer, isChunked = false): void {
  if (!isChunked) {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.byteLength}\r\n\r\n`)
    socket.write(body)
    return
  }
  socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
  for (let at = 0; at < body.byteLength; at += 10_000) {
    const part = body.subarray(at, at + 10_000)
    socket.write(`${part.byteLength.toString(16)}\r\n`)
    socket.write(part)
    socket.write('\r\n')
  }
  socket.write('0\r\n\r\n')
}

for (const isChunked of [false, true]) {
  test(`pieces that are out stay as they are, whatever comes after them (${isChunked ? 'chunks' : 'length'})`, async (t) => {
    const bodies = [bodyOf(3 * MIB, 1), bodyOf(20_000, 2), bodyOf(900, 3), bodyOf(MIB, 4)]
    const origin = await openRawOrigin(t, (socket, _, nth) =>
      answer(socket, bodies[nth - 1] ?? Buffer.alloc(0), isChunked),
    )
    const { ask, wires } = openTestWire(t, origin.url, { connections: 1 })
    const heard: Buffer[][] = []
    const back: (() => void)[] = []
    for (const _ of bodies) {
      const pieces: Buffer[] = []
      heard.push(pieces)
      const piece = (bytes: Buffer, giveBack: () => void): void => {
        pieces.push(bytes)
        back.push(giveBack)
      }
      await ask({}, { piece }).over
    }
    for (const [index, pieces] of heard.entries())
      assert.ok(Buffer.concat(pieces).equals(bodies[index] ?? Buffer.alloc(0)))
    assert.equal(wires.slabs.keptBytes, 0)
    for (const giveBack of back) giveBack()
    assert.ok(wires.slabs.keptBytes > 0)
  })
}

test('memory that is given back is read into again, so that bodies without end need no more of it', async (t) => {
  const body = bodyOf(2 * MIB)
  const origin = await openRawOrigin(t, (socket) => answer(socket, body))
  const { ask, wires } = openTestWire(t, origin.url, { connections: 1 })
  const seen = new Set<ArrayBufferLike>()
  for (let count = 0; count < 10; count++)
    await ask(
      {},
      {
        piece(bytes, giveBack) {
          seen.add(bytes.buffer)
          giveBack()
        },
      },
    ).over
  assert.ok(seen.size <= 4, `${seen.size} pieces of memory for twenty MiB`)
  assert.ok(wires.slabs.keptBytes <= MIB)
})

test('what pauses loses nothing, and less than half a megabyte comes after it', async (t) => {
  const body = bodyOf(4 * MIB)
  const origin = await openRawOrigin(t, (socket) => answer(socket, body))
  const { ask } = openTestWire(t, origin.url)
  const pieces: Buffer[] = []
  let sinceBytes = 0
  const asked = ask(
    {},
    {
      piece(bytes, giveBack) {
        pieces.push(Buffer.from(bytes))
        giveBack()
        sinceBytes += bytes.byteLength
        asked.exchange.pause()
      },
    },
  )
  let isOver = false
  void asked.over.then(() => {
    isOver = true
  })
  while (!isOver) {
    const before = pieces.length
    await until(() => isOver || pieces.length > before, 'more came')
    // What would still come, comes within these.
    for (let turn = 0; turn < 5; turn++) await new Promise((next) => setImmediate(next))
    assert.ok(sinceBytes <= MIB / 2, `${sinceBytes} bytes came while it paused`)
    sinceBytes = 0
    asked.exchange.resume()
  }
  assert.ok(Buffer.concat(pieces).equals(body))
})

test('a connection whose answer ended while it paused carries the next one', async (t) => {
  const origin = await openRawOrigin(t, (socket) => answer(socket, Buffer.from('hello')))
  const { ask, wire } = openTestWire(t, origin.url)
  const asked = ask({}, { piece: () => asked.exchange.pause() })
  await asked.over
  const next = ask()
  await next.over
  assert.equal(next.body.toString(), 'hello')
  assert.equal(wire.counts().connections, 1)
})

test('a request that pauses before it is sent hears nothing until it goes on', async (t) => {
  const origin = await openRawOrigin(t, (socket) => answer(socket, Buffer.from('hello')))
  const { ask } = openTestWire(t, origin.url)
  await ask().over
  const asked = ask()
  asked.exchange.pause()
  await until(() => origin.requests === 2, 'it was sent')
  for (let turn = 0; turn < 5; turn++) await new Promise((next) => setImmediate(next))
  assert.deepEqual(asked.words, [])
  asked.exchange.resume()
  await asked.over
  assert.equal(asked.body.toString(), 'hello')
})

test('a slab is not taken again before all of it was given back, and giving back twice is giving back once', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 5 }), { maxLength: 60 }), (steps) => {
      const slabs = new Slabs()
      let slab = slabs.take(false)
      const out: { readonly view: Buffer; readonly is: number; readonly giveBack: () => void }[] = []
      let nth = 0
      for (const step of steps) {
        if (step < 3) {
          // As a connection reads: where there is room, and elsewhere when there is none.
          let space = slab.space()
          if (space === undefined) {
            slab.left()
            slab = slabs.take(false)
            space = slab.bytes
          }
          const view = space.subarray(0, Math.min(space.byteLength, 3_000))
          view.fill(++nth)
          slab.filled(view.byteLength)
          out.push({ view, is: nth, giveBack: slab.lend() })
        } else if (step < 5) {
          const [gone] = out.splice(0, 1)
          gone?.giveBack()
          gone?.giveBack()
        } else {
          slab.left()
          slab = slabs.take(false)
        }
        for (const { view, is } of out) assert.ok(view.every((byte) => byte === is))
      }
      for (const { giveBack } of out) giveBack()
      assert.equal(slabs.keptBytes % SMALL_BYTES, 0)
    }),
  )
})

test('no more memory is kept ready than 36 MiB', () => {
  const slabs = new Slabs()
  const all = [...Array(600).keys()].map((index) => slabs.take(index % 2 === 0))
  for (const slab of all) slab.left()
  assert.equal(slabs.keptBytes, 36 * MIB)
})
