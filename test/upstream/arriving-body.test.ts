/** A body as the connection brings it: all of it in order or what broke it, and a connection that waits for a slow reader. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArrivingBody } from '../../src/upstream/arriving-body.ts'

const KB = 1024

/** A connection that notes what it is told. */
function tap(): { told: string[]; pause(): void; resume(): void; abort(): void } {
  const told: string[] = []
  return {
    told,
    pause: () => void told.push('pause'),
    resume: () => void told.push('resume'),
    abort: () => void told.push('abort'),
  }
}

async function text(body: ArrivingBody): Promise<string> {
  return Buffer.concat(await Array.fromAsync(body)).toString()
}

test('a reader gets what came before he read and what comes while he waits', async () => {
  const body = new ArrivingBody(tap())
  body.push(Buffer.from('one '))
  const reading = text(body)
  await Promise.resolve()
  body.push(Buffer.from('two '))
  body.push(Buffer.from('three'))
  body.end()
  assert.equal(await reading, 'one two three')
})

test('the connection is not read while 128 KiB wait for a reader, and is read again when he takes some', async () => {
  const from = tap()
  const body = new ArrivingBody(from)
  body.push(Buffer.alloc(64 * KB))
  assert.deepEqual(from.told, [])
  body.push(Buffer.alloc(64 * KB))
  assert.deepEqual(from.told, ['pause'])
  await body.next()
  assert.deepEqual(from.told, ['pause', 'resume'])
  await body.next()
  assert.deepEqual(from.told, ['pause', 'resume'])
})

test('what broke a body is told behind all bytes that came before it', async () => {
  const body = new ArrivingBody(tap())
  body.push(Buffer.from('half'))
  body.fail(new Error('cut'))
  assert.equal(Buffer.from((await body.next()).value ?? []).toString(), 'half')
  await assert.rejects(body.next(), /cut/)
  await assert.rejects(body.next(), /cut/)
})

test('who waits when a body breaks is told at once', async () => {
  const body = new ArrivingBody(tap())
  const waiting = body.next()
  body.fail(new Error('cut'))
  await assert.rejects(waiting, /cut/)
})

test('a reader who leaves early ends the connection', async () => {
  const from = tap()
  const body = new ArrivingBody(from)
  body.push(Buffer.from('one'))
  for await (const _ of body) break
  assert.deepEqual(from.told, ['abort'])
})

test('to cancel a body that was read to its end does nothing', async () => {
  const from = tap()
  const body = new ArrivingBody(from)
  body.push(Buffer.from('all'))
  body.end()
  assert.equal(await text(body), 'all')
  body.cancel()
  assert.deepEqual(from.told, [])
  assert.equal((await body.next()).done, true)
})

test('who reads on after a body was cancelled is told that it is not whole', async () => {
  for (const isWhole of [false, true]) {
    const body = new ArrivingBody(tap())
    body.push(Buffer.from('never read'))
    if (isWhole) body.end()
    body.cancel()
    await assert.rejects(body.next(), /nobody wants the body/)
  }
})

test('that nothing more comes is told once, however it ended, and at once to who asks later', () => {
  for (const over of ['end', 'cancel', 'fail'] as const) {
    const body = new ArrivingBody(tap())
    let times = 0
    body.whenOver(() => times++)
    if (over === 'fail') body.fail(new Error('cut'))
    else body[over]()
    body.cancel()
    assert.equal(times, 1)
    body.whenOver(() => times++)
    assert.equal(times, 2)
  }
})

test('bytes are counted as they are handed on, and a failure is explained once, to who reads', async () => {
  let bytes = 0
  let asked = 0
  const body = new ArrivingBody(tap()).telling({
    took: (more) => {
      bytes += more
    },
    explain: () => new Error(`explained ${++asked} times`),
  })
  body.push(Buffer.from('1234'))
  assert.equal(bytes, 0)
  await body.next()
  assert.equal(bytes, 4)
  body.fail(new Error('cut'))
  assert.equal(asked, 0)
  await assert.rejects(body.next(), /explained 1 times/)
  await assert.rejects(body.next(), /explained 1 times/)
})
