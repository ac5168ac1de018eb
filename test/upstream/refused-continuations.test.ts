/** What is not the rest of the same thing continues no body, however much it claims to be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFileOrigin, type ServedFile } from '../support/file-origin.ts'
import { openRawOrigin } from '../support/raw-origin.ts'
import {
  at,
  BODY,
  DATED,
  firstAt,
  getBroken,
  getWhole,
  openRelais,
  resumptions,
  TAGGED,
} from './support/breaking.ts'

const CHANGED: readonly [string, (body: Buffer) => ServedFile][] = [
  ['another ETag', (body) => ({ body, etag: '"2"' })],
  ['another ETag and without ranges', (body) => ({ body, etag: '"2"', isWholeOnly: true })],
  ['no ETag any more', (body) => ({ body, isWholeOnly: true })],
  ['a weak ETag', (body) => ({ body, etag: 'W/"1"', isWholeOnly: true })],
  [
    'the same ETag and another length',
    () => ({ body: BODY.subarray(0, 30), etag: '"1"', isWholeOnly: true }),
  ],
  ['the same ETag and another total', () => ({ body: BODY.subarray(0, 30), etag: '"1"' })],
]

for (const [what, changed] of CHANGED) {
  test(`a body that comes again with ${what} breaks, and nothing of it is kept`, async (t) => {
    const upper = Buffer.from(String(BODY).toUpperCase())
    const origin = await openFileOrigin(
      t,
      (_request, nth) => (nth === 1 ? TAGGED : changed(upper)),
      firstAt(at(10)),
    )
    const relais = await openRelais(t, [origin])
    await getBroken(relais, '0123456789')
    assert.equal(origin.asked.length, 2)
    assert.deepEqual(await resumptions(relais), [[1, 0]])
  })
}

const COMMON = 'cache-control: max-age=60\r\netag: "1"\r\n'
const LYING: readonly [string, string][] = [
  ['begins elsewhere', 'HTTP/1.1 206 P\r\netag: "1"\r\ncontent-range: bytes 9-35/36\r\n'],
  ['has another total', 'HTTP/1.1 206 P\r\netag: "1"\r\ncontent-range: bytes 10-35/40\r\n'],
  ['has another ETag', 'HTTP/1.1 206 P\r\netag: "2"\r\ncontent-range: bytes 10-35/36\r\n'],
  ['has no ETag', 'HTTP/1.1 206 P\r\ncontent-range: bytes 10-35/36\r\n'],
  ['has no Content-Range', 'HTTP/1.1 206 P\r\netag: "1"\r\n'],
  [
    'has another coding',
    'HTTP/1.1 206 P\r\netag: "1"\r\ncontent-encoding: gzip\r\ncontent-range: bytes 10-35/36\r\n',
  ],
]

for (const [what, lines] of LYING) {
  test(`a continuation that ${what} is refused`, async (t) => {
    const origin = await openRawOrigin(t, (socket, _head, nth) => {
      if (nth === 1) socket.end(`HTTP/1.1 200 OK\r\n${COMMON}content-length: 36\r\n\r\n0123456789`)
      else socket.write(`${lines}content-length: 26\r\n\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ`)
    })
    await getBroken(await openRelais(t, [origin], { resumeTimeout: '400ms' }), '0123456789')
    const honest = await openFileOrigin(t, () => TAGGED)
    const liar = await openRawOrigin(t, (socket, _head, nth) => {
      if (nth === 1) socket.end(`HTTP/1.1 200 OK\r\n${COMMON}content-length: 36\r\n\r\n0123456789`)
      else socket.write(`${lines}content-length: 26\r\n\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ`)
    })
    await getWhole(await openRelais(t, [liar, honest]))
  })
}

test('a rest of unknown end is refused, for nobody could tell that it was cut', async (t) => {
  const origin = await openRawOrigin(t, (socket, _head, nth) => {
    if (nth === 1)
      socket.end(`HTTP/1.1 200 OK\r\n${COMMON}transfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n`)
    else
      socket.write(
        `HTTP/1.1 206 P\r\n${COMMON}content-range: bytes 10-14/*\r\ncontent-length: 5\r\n\r\nabcde`,
      )
  })
  await getBroken(await openRelais(t, [origin]))
})

const UNVALIDATED: readonly [string, ServedFile][] = [
  ['a weak ETag', { ...DATED, etag: 'W/"1"' }],
  ['a Last-Modified of this very second', { body: BODY, lastModified: 'Thu, 01 Jan 2026 00:00:00 GMT' }],
]

for (const [what, file] of UNVALIDATED) {
  test(`${what} is not enough to continue a body`, async (t) => {
    const origin = await openFileOrigin(t, () => file, firstAt(at(10)))
    await getBroken(await openRelais(t, [origin]), '0123456789')
    assert.equal(origin.asked.length, 1)
  })

  test(`${what} is enough with equal length and Last-Modified, where the route says so`, async (t) => {
    const origin = await openFileOrigin(t, () => file, firstAt(at(10)))
    await getWhole(await openRelais(t, [origin], {}, { resume: 'same-length' }))
    assert.equal(origin.asked[1]?.ifRange, undefined)
  })
}

for (const [what, changed] of [
  ['another length', { ...DATED, body: Buffer.from(`${BODY}${BODY}`) }],
  ['another Last-Modified', { ...DATED, lastModified: 'Tue, 30 Dec 2025 00:00:00 GMT' }],
  ['no Last-Modified', { body: BODY }],
] as const) {
  test(`${what} breaks a body also where equal length and Last-Modified would do`, async (t) => {
    const file = { ...DATED, etag: 'W/"1"' }
    for (const isWholeOnly of [false, true]) {
      const origin = await openFileOrigin(
        t,
        (_request, nth) => (nth === 1 ? file : { ...changed, etag: 'W/"1"', isWholeOnly }),
        firstAt(at(10)),
      )
      await getBroken(await openRelais(t, [origin], {}, { resume: 'same-length' }), '0123456789')
    }
  })
}

test('with equal length and Last-Modified the ETags of two origins may differ, those of one may not', async (t) => {
  const file = { ...DATED, etag: '"1"' }
  const first = await openFileOrigin(t, () => file, firstAt(at(10, 'silence')))
  const second = await openFileOrigin(t, () => ({ ...file, etag: '"other"' }))
  await getWhole(await openRelais(t, [first, second], {}, { resume: 'same-length' }))
  assert.equal(second.asked[0]?.ifRange, undefined)
  const alone = await openFileOrigin(
    t,
    (_request, nth) => (nth === 1 ? file : { ...file, etag: '"other"' }),
    firstAt(at(10)),
  )
  await getBroken(await openRelais(t, [alone], {}, { resume: 'same-length' }), '0123456789')
})
