/** What passes from a sibling to a viewer outlives what comes to pass meanwhile: deaths, departures, purges, writes and other viewers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { purge } from '../support/operator.ts'
import { type Handler, openOrigin, reply } from '../support/origin.ts'
import { KEPT, pair } from '../support/passing-pair.ts'
import { openSiblings } from '../support/relais-siblings.ts'
import { openViewer } from '../support/viewer.ts'
import { openWire } from '../support/wire.ts'

const LARGE = Buffer.alloc(3 * 1024 ** 2, 'some bytes of a body ')

/** Half of it, and the rest when the barrier opens. */
function inHalves(fields: Record<string, string>) {
  const [begun, rest] = [barrier(), barrier()]
  const handler: Handler = async ({ headers, url }, response) => {
    const from = Number(/^bytes=(\d+)-/.exec(String(headers.range))?.[1] ?? 0)
    const size = LARGE.byteLength
    if (from > 0 && fields['etag'] !== undefined) {
      const range = `bytes ${from}-${size - 1}/${size}`
      return reply(response, LARGE.subarray(from), { ...fields, 'content-range': range }, 206)
    }
    response.writeHead(200, { ...fields, 'content-length': String(size) })
    response.write(LARGE.subarray(0, size / 2))
    begun.open()
    await rest.opened
    return response.end(LARGE.subarray(size / 2), () => url)
  }
  return { handler, begun, rest }
}

test('who owns it dies in the middle, and the viewer has all of it', async (t) => {
  const { handler, rest } = inHalves(KEPT)
  const { asker, owner, target } = await pair(t, handler)
  const viewer = openViewer(asker.url + target())
  await viewer.reached(1024)
  owner.link.cut()
  const { body, isWhole } = await viewer.answer
  rest.open()
  assert.ok(isWhole)
  assert.ok(body.equals(LARGE))
})

test('who owns it dies in the middle of what has no validator, and nobody takes what came for whole', async (t) => {
  const { etag: _, ...bare } = KEPT
  const { handler, rest } = inHalves(bare)
  const { asker, owner, target } = await pair(t, handler)
  const viewer = openViewer(asker.url + target())
  await viewer.reached(1024)
  owner.link.cut()
  const { isWhole, body } = await viewer.answer
  rest.open()
  assert.equal(isWhole, false)
  assert.ok(body.equals(LARGE.subarray(0, body.byteLength)))
  await until(async () => (await asker.stats()).fills === 0, 'nothing is under way')
  assert.equal((await asker.stats()).cuts, 1)
})

test('who owns it dies before the head, and the viewer has all of it', async (t) => {
  const held = barrier()
  const { origin, asker, owner, target } = await pair(t, async (_, response) => {
    if (origin.count() === 1) await held.opened
    reply(response, LARGE, KEPT)
  })
  const answer = get(asker.url + target())
  await origin.reached(1)
  owner.link.cut()
  const { body, isWhole } = await answer
  held.open()
  assert.ok(isWhole && body.equals(LARGE))
})

test('a viewer who leaves in the middle leaves nothing behind', async (t) => {
  const { handler, rest } = inHalves(KEPT)
  const { asker, owner, target } = await pair(t, handler)
  const viewer = openViewer(asker.url + target())
  await viewer.reached(1024)
  assert.equal((await asker.stats()).fills, 1)
  viewer.leave()
  await until(async () => {
    const { fills, waiting } = await asker.stats()
    return fills === 0 && waiting === 0
  }, 'nothing is under way')
  rest.open()
  const next = target()
  const answer = await get(asker.url + next)
  assert.ok(answer.body.equals(LARGE))
  assert.equal((await asker.stats()).siblings[0]?.failed, 0, 'that a viewer leaves is no fault of a sibling')
  assert.equal((await owner.stats()).peers?.requests, 2)
})

test('a viewer who reads nothing is let go, and so is what is on its way to him', async (t) => {
  const { asker, owner, target } = await pair(t, (_, response) => reply(response, LARGE, KEPT), {
    more: (index) => (index === 0 ? { http: { stallTimeout: 300, drainTimeout: '1s' } } : {}),
  })
  const wires = []
  for (let index = 0; index < 6; index++) {
    const wanted = target()
    await get(owner.url + wanted)
    const wire = await openWire(t, asker.url)
    wire.socket.pause()
    // More than connections of this machine hold.
    wire.write(`GET ${wanted} HTTP/1.1\r\nhost: a\r\n\r\n`.repeat(6))
    wires.push(wire)
  }
  await until(async () => (await asker.stats()).viewers === 0, 'they are let go')
  await until(async () => (await asker.stats()).fills === 0, 'nothing is under way')
  for (const { socket } of wires) socket.destroy()
})

for (const [what, order] of [
  ['its address', (target: string) => ({ url: target })],
  ['a prefix', () => ({ prefix: '/' })],
  ['all', () => ({ all: true })],
] as const) {
  test(`what passes while ${what} is purged is not had again`, async (t) => {
    let edition = 'old'
    const [begun, rest] = [barrier(), barrier()]
    const { asker, target } = await pair(t, async (_, response) => {
      const mine = edition
      response.writeHead(200, { ...KEPT, etag: `"${mine}"`, 'content-length': '4' })
      response.write(mine)
      begun.open()
      if (mine === 'old') await rest.opened
      response.end('!')
    })
    const wanted = target()
    const viewer = openViewer(asker.url + wanted)
    await viewer.reached(3)
    edition = 'new'
    await purge(asker.url, order(wanted))
    const second = await get(asker.url + wanted)
    assert.equal(second.body.toString(), 'new!')
    rest.open()
    assert.equal((await viewer.answer).body.toString(), 'old!')
    assert.equal((await get(asker.url + wanted)).body.toString(), 'new!')
    await begun.opened
  })
}

test('who comes after a write does not walk with what set out before it', async (t) => {
  const held = barrier()
  const { origin, asker, owner, target } = await pair(t, async ({ method }, response) => {
    if (method === 'POST') return reply(response, 'written', {}, 200)
    await held.opened
    return reply(response, 'a body', KEPT)
  })
  const wanted = target()
  const first = get(asker.url + wanted)
  await origin.reached(1)
  await get(asker.url + wanted, { method: 'POST', body: 'x' })
  const second = get(asker.url + wanted)
  await until(async () => (await owner.stats()).peers?.requests === 2, 'the owner is asked again')
  held.open()
  for (const answer of [await first, await second]) assert.equal(answer.body.toString(), 'a body')
  assert.equal((await asker.stats()).requests.collapsed, 0)
})

test('what is for one viewer, and was handed over while it was purged, is brought by one request', async (t) => {
  const held = barrier()
  const own = { ...KEPT, 'cache-control': 'private' }
  const { origin, asker, owner, target } = await pair(t, async (_, response) => {
    await held.opened
    reply(response, LARGE, own)
  })
  const answer = get(asker.url + target())
  await origin.reached(1)
  await purge(asker.url, { prefix: '/' })
  held.open()
  assert.ok((await answer).body.equals(LARGE))
  assert.equal((await owner.stats()).peers?.requests, 1)
  await until(async () => (await asker.stats()).fills === 0, 'nothing is under way')
})

test('a second viewer before the head walks along', async (t) => {
  const held = barrier()
  const { origin, asker, owner, target } = await pair(t, async (_, response) => {
    await held.opened
    reply(response, 'a body', KEPT)
  })
  const wanted = target()
  const first = get(asker.url + wanted)
  await origin.reached(1)
  const second = get(asker.url + wanted)
  await until(async () => (await asker.stats()).waiting === 2, 'both wait')
  held.open()
  for (const answer of [await first, await second]) assert.equal(answer.body.toString(), 'a body')
  const { requests } = await asker.stats()
  assert.deepEqual([requests.total, requests.miss, requests.collapsed], [2, 1, 1])
  assert.equal((await owner.stats()).peers?.requests, 1)
  assert.equal(origin.count(), 1)
})

test('a second viewer in the middle has one more copy come, and all others walk with him', async (t) => {
  const { handler, rest } = inHalves(KEPT)
  const { origin, asker, owner, target } = await pair(t, handler)
  const wanted = target()
  const first = openViewer(asker.url + wanted)
  await first.reached(1024)
  const others = Array.from({ length: 8 }, () => openViewer(asker.url + wanted))
  await Promise.all(others.map((other) => other.reached(1024)))
  rest.open()
  for (const { answer } of [first, ...others]) assert.ok((await answer).body.equals(LARGE))
  const { requests } = await asker.stats()
  assert.deepEqual([requests.total, requests.miss, requests.collapsed], [9, 2, 7])
  assert.equal((await owner.stats()).peers?.requests, 2)
  assert.equal(origin.count(), 1)
})

test('of what draws many at once the owner is asked for two copies', async (t) => {
  const { asker, owner, target } = await pair(t)
  const wanted = target()
  await get(owner.url + wanted)
  for (let round = 0; round < 5; round++)
    await Promise.all(Array.from({ length: 20 }, () => get(asker.url + wanted)))
  assert.ok(Number((await owner.stats()).peers?.requests) <= 2)
})

test('HEAD, HTTP/1.0, and requests one behind the other on one connection are answered in their order', async (t) => {
  const { asker, owner, target } = await pair(t, ({ url }, response) => reply(response, `<${url}>`, KEPT))
  const targets = Array.from({ length: 5 }, target)
  for (const wanted of targets.slice(1)) await get(owner.url + wanted)
  const lines = targets.map((wanted, index) => {
    const end = index === 4 ? 'connection: close\r\n' : ''
    return `${index === 2 ? 'HEAD' : 'GET'} ${wanted} HTTP/1.1\r\nhost: a\r\n${end}\r\n`
  })
  const wire = await openWire(t, asker.url, lines.join(''))
  const all = await wire.closed
  assert.deepEqual(
    [...all.matchAll(/<(.*?)>/g)].map(([, url]) => url),
    targets.filter((_, index) => index !== 2),
  )
  const old = target()
  const answer = await (await openWire(t, asker.url, `GET ${old} HTTP/1.0\r\n\r\n`)).closed
  assert.match(answer, /^HTTP\/1.1 200 OK\r\n/)
  assert.match(answer, new RegExp(`<${old}>$`))
})

test('a node that is told to stop lets what passes come to its end', async (t) => {
  const { handler, rest } = inHalves(KEPT)
  const { asker, target } = await pair(t, handler, { file: { http: { drainTimeout: '10s' } } })
  const viewer = openViewer(asker.url + target())
  await viewer.reached(1024)
  const closing = asker.close()
  rest.open()
  const { body, isWhole } = await viewer.answer
  assert.ok(isWhole && body.equals(LARGE))
  await closing
})

test('what passes to a viewer has what comes behind it fetched ahead', async (t) => {
  const names = Array.from({ length: 12 }, (_, index) => `${index}.ts`)
  const lines = names.map((name) => `#EXTINF:4,\n${name}\n`).join('')
  const playlist = `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n${lines}#EXT-X-ENDLIST\n`
  const asHls = { 'cache-control': 'max-age=600', 'content-type': 'application/vnd.apple.mpegurl' }
  const origin = await openOrigin(t, ({ url = '' }, response) =>
    url.endsWith('.m3u8') ? reply(response, playlist, asHls) : reply(response, url, KEPT),
  )
  const { nodes } = await openSiblings(t, 3, {
    origins: [origin.url],
    file: { prefetch: { segments: 3 } },
  })
  const [asker] = nodes
  assert.ok(asker)
  await get(`${asker.url}/v/p.m3u8`)
  for (const [index, name] of names.entries()) {
    const answer = await get(`${asker.url}/v/${name}`)
    if (index >= 3) assert.match(String(answer.headers['cache-status']), /node-0; hit[^,]*$/, name)
    // The playlist, what was asked for, and three more.
    const known = 1 + Math.min(names.length, index === 0 ? 1 : index + 4)
    await until(async () => origin.count() >= known && (await asker.stats()).fills === 0, 'they have come')
  }
})
