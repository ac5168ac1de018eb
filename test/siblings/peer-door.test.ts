/** The internal listener: whom it answers, what it refuses, and what viewers have no say in. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Clock } from '../../src/rfc/heads.ts'
import { coveredBy } from '../../src/siblings/peer-ask.ts'
import { PeerAuth } from '../../src/siblings/peer-auth.ts'
import { objectPath, routeIdOf } from '../../src/siblings/peer-message.ts'
import { writeSaid } from '../../src/siblings/peer-said.ts'
import { ALGORITHM } from '../../src/siblings/rendezvous.ts'
import { Strangers } from '../../src/siblings/strangers.ts'
import { barrier, until } from '../support/barrier.ts'
import { get, type Response } from '../support/client.ts'
import { openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openSiblings, SECRET, type TestSibling } from '../support/relais-siblings.ts'

const KEPT = { 'cache-control': 'max-age=600', etag: '"one"' }

interface Asked {
  readonly method?: string
  readonly target?: string
  readonly peer?: string
  readonly hop?: string
  readonly role?: string
  readonly algorithm?: string
  readonly purges?: string
  readonly secret?: string
  readonly path?: string
  readonly headers?: Record<string, string>
}

/** What a sibling would send, but for what the test changes. */
function writtenAs(
  origin: TestOrigin,
  now: Clock,
  asked: Asked = {},
): Required<Pick<Asked, 'method' | 'path' | 'headers'>> {
  const { method = 'GET', target = 'segment.ts', peer = 'node-0', hop = '1', role = 'owner' } = asked
  const { headers = {}, secret = SECRET, algorithm = ALGORITHM, purges } = asked
  const routeId = routeIdOf({ prefix: '/', base: `${origin.url}/` })
  const path = asked.path ?? objectPath({ routeId, target, heldMs: undefined })
  const digest = '0123456789abcdef'
  const { said, fields, values } = writeSaid(
    { hop: Number(hop), role, algorithm, digest, purges, peer },
    headers,
  )
  const auth = new PeerAuth({ secret, acceptedSecret: null }, now)
  return {
    method,
    path,
    headers: { ...fields, 'relais-auth': auth.seal(said, coveredBy(method, path, values)) },
  }
}

/** Asks as a sibling would, but for what the test changes. */
function asSibling(node: TestSibling, origin: TestOrigin, asked: Asked = {}): Promise<Response> {
  const { method, path, headers } = writtenAs(origin, node.clock.now, asked)
  return get((node.peerUrl ?? '') + path, { method, headers })
}

async function open(t: TestContext): Promise<{ origin: TestOrigin; node: TestSibling }> {
  const origin = await openOrigin(t, (request, response) => reply(response, `body of ${request.url}`, KEPT))
  const { nodes } = await openSiblings(t, 2, { origins: [origin.url] })
  const node = nodes[1]
  assert.ok(node)
  return { origin, node }
}

test('a sibling is answered, with what it needs to know beside the response', async (t) => {
  const { origin, node } = await open(t)
  await asSibling(node, origin)
  node.clock.advance(1_500)
  const answer = await asSibling(node, origin)
  assert.equal(answer.status, 200)
  assert.equal(answer.body.toString(), 'body of /segment.ts')
  assert.equal(answer.headers['age'], '1')
  assert.equal(answer.headers['relais-age'], '1500')
  assert.equal(answer.headers['relais-rate'], undefined)
  assert.match(String(answer.headers['cache-status']), /^node-1; hit/)
  assert.equal(origin.count(), 1)
})

test('ranges, conditions and HEAD are answered from what lies there', async (t) => {
  const { origin, node } = await open(t)
  await asSibling(node, origin)
  const part = await asSibling(node, origin, { headers: { range: 'bytes=0-3' } })
  assert.deepEqual([part.status, part.body.toString()], [206, 'body'])
  const same = await asSibling(node, origin, { headers: { 'if-none-match': '"one"' } })
  assert.equal(same.status, 304)
  const head = await asSibling(node, origin, { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers['content-length'], head.body.byteLength], [200, '19', 0])
  assert.equal(origin.count(), 1)
})

test('a probe is answered from store or with a no at once, and the origin is not asked', async (t) => {
  const { origin, node } = await open(t)
  const probe = { role: 'probe', hop: '2', headers: { 'cache-control': 'only-if-cached' } }
  const missing = await asSibling(node, origin, probe)
  assert.deepEqual([missing.status, missing.headers['relais-error']], [504, 'absent'])
  assert.equal(origin.count(), 0)
  await asSibling(node, origin)
  assert.equal((await asSibling(node, origin, probe)).status, 200)
})

test('a probe walks with what is on its way from the origin as soon as its head is here', async (t) => {
  const rest = barrier()
  const origin = await openOrigin(t, (_, response) => {
    response.writeHead(200, { ...KEPT, 'content-length': 8 })
    response.write('half')
    void rest.opened.then(() => response.end('half'))
  })
  const { nodes } = await openSiblings(t, 2, { origins: [origin.url] })
  const node = nodes[1]
  assert.ok(node)
  const filling = asSibling(node, origin)
  await until(
    async () => (await node.stats()).fills === 1 && (await node.stats()).waiting === 0,
    'its head is here',
  )
  const probed = asSibling(node, origin, {
    role: 'probe',
    hop: '2',
    headers: { 'cache-control': 'only-if-cached' },
  })
  await until(async () => (await node.stats()).peers?.requests === 2, 'the probe has come')
  rest.open()
  for (const { status, body } of await Promise.all([filling, probed]))
    assert.deepEqual([status, body.toString()], [200, 'halfhalf'])
  assert.equal(origin.count(), 1)
})

const REFUSED: readonly (readonly [string, Asked, number, string])[] = [
  ['another secret', { secret: 'another secret that is long enough too' }, 403, 'refused'],
  ['another algorithm', { algorithm: 'hrw2' }, 409, 'incompatible'],
  ['no algorithm', { algorithm: '-' }, 409, 'incompatible'],
  ['our own name', { peer: 'node-1' }, 508, 'loop'],
  ['our own name in CDN-Loop', { headers: { 'cdn-loop': 'node-0, node-1' } }, 508, 'loop'],
  ['three hops', { hop: '3', role: 'probe' }, 508, 'loop'],
  ['no hop', { hop: '0' }, 508, 'loop'],
  ['a second hop that is no probe', { hop: '2' }, 508, 'loop'],
  ['an unknown role', { role: 'master' }, 508, 'loop'],
  ['an unknown route', { path: '/-/peer/v1/obj/0123456789abcdef/c2Vn' }, 404, 'unknown-route'],
  ['a path that is none', { path: '/-/peer/v1/obj/segment.ts' }, 404, 'unknown-route'],
  ['a target that leaves its route', { target: '../secret' }, 404, 'unknown-route'],
  ['a target that is two lines', { target: 'a HTTP/1.1\r\nx: y' }, 404, 'unknown-route'],
  ['another method', { method: 'DELETE' }, 404, 'unknown-route'],
]

for (const [what, asked, status, word] of REFUSED) {
  test(`a request with ${what} is refused: ${status} ${word}`, async (t) => {
    const { origin, node } = await open(t)
    const answer = await asSibling(node, origin, asked)
    assert.deepEqual([answer.status, answer.headers['relais-error']], [status, word])
    assert.equal(origin.count(), 0)
    const { peers } = await node.stats()
    assert.equal(Object.entries(peers?.refused ?? {}).find(([why]) => why === word)?.[1], 1)
  })
}

test('what is asked for once a second or more is said to be so', async (t) => {
  const { origin, node } = await open(t)
  let last = await asSibling(node, origin)
  for (let count = 1; count < 10; count++) last = await asSibling(node, origin)
  assert.equal(last.headers['relais-rate'], '1.0')
})

test('unsigned, replayed, expired and tampered requests are refused, in one line of the log each', async (t) => {
  const { origin, node } = await open(t)
  const { path, headers } = writtenAs(origin, node.clock.now, { headers: { accept: '*/*' } })
  const url = (node.peerUrl ?? '') + path
  const statusOf = async (fields: Record<string, string>): Promise<number> =>
    (await get(url, { headers: fields })).status
  const { 'relais-auth': value = '', ...unsigned } = headers
  const tampered = (from: string, to: string): Record<string, string> => {
    assert.ok(value.includes(from))
    return { ...headers, 'relais-auth': value.replace(from, to) }
  }
  assert.equal(await statusOf(unsigned), 403)
  assert.equal(await statusOf({ ...headers, accept: 'text/*' }), 403)
  for (const [from, to] of [
    [' owner ', ' parent '],
    [' 1 owner', ' 2 owner'],
    [' node-0 ', ' node-2 '],
    [' - accept ', ' a=1 accept '],
    [' accept ', ' - '],
    [' 0123456789abcdef ', ' 0123456789abcdee '],
  ] as const)
    assert.equal(await statusOf(tampered(from, to)), 403, `${from} became ${to}`)
  assert.equal(await statusOf(headers), 200)
  for (let count = 0; count < 3; count++) assert.equal(await statusOf(headers), 403)
  node.clock.advance(60_000)
  assert.equal(await statusOf(headers), 403)
  assert.equal((await node.stats()).peers?.refused.refused, 12)
  const lines = node.log.filter(({ msg }) => String(msg).startsWith('a request on the internal listener'))
  assert.equal(lines.length, 4)
})

test('a field that no signature speaks for is not heard', async (t) => {
  const { origin, node } = await open(t)
  const { path, headers } = writtenAs(origin, node.clock.now, { headers: { accept: '*/*' } })
  const added = { range: 'bytes=0-1', 'x-request-id': '7', 'cache-control': 'only-if-cached' }
  const answer = await get((node.peerUrl ?? '') + path, { headers: { ...headers, ...added } })
  assert.deepEqual([answer.status, answer.body.toString()], [200, 'body of /segment.ts'])
  const [asked] = origin.asked
  assert.equal(asked?.headers['accept'], '*/*')
  assert.equal(asked?.headers['x-request-id'], undefined)
})

test('what siblings need not say reaches the origin as if they had said it', async (t) => {
  const { origin, node } = await open(t)
  const goesWithoutSaying = {
    via: '1.1 node-0',
    'cdn-loop': 'node-0',
    forwarded: 'for=_shared',
    'accept-encoding': 'identity',
  }
  const { headers } = writtenAs(origin, node.clock.now, { headers: goesWithoutSaying })
  assert.deepEqual(Object.keys(headers), ['relais-auth'])
  await asSibling(node, origin, { headers: goesWithoutSaying })
  const [asked] = origin.asked
  assert.equal(asked?.headers['via'], '1.1 node-0, 1.1 node-1')
  assert.equal(asked?.headers['cdn-loop'], 'node-0, node-1')
  assert.equal(asked?.headers['accept-encoding'], 'identity')
})

test('a request of another release is refused in one clear line', async (t) => {
  const { origin, node } = await open(t)
  const { path } = writtenAs(origin, node.clock.now)
  const before = `v1 0123abcd 1767225600 nonce ${'A'.repeat(43)}`
  for (let count = 0; count < 2; count++) {
    const answer = await get((node.peerUrl ?? '') + path, { headers: { 'relais-auth': before } })
    assert.deepEqual([answer.status, answer.headers['relais-error']], [409, 'incompatible'])
  }
  const lines = node.log.filter(({ msg }) => String(msg).includes('another release'))
  assert.equal(lines.length, 1)
  assert.match(String(lines[0]?.['msg']), /expected a request of the form v2, came one of v1/)
})

test('purges that are wanted in force and are not are waited for a little, and then it is behind', async (t) => {
  const { origin, node } = await open(t)
  const answer = await asSibling(node, origin, { purges: 'node-9.1=7' })
  assert.deepEqual([answer.status, answer.headers['relais-error']], [503, 'behind'])
})

test('the listener of viewers knows nothing of siblings, and takes their word for nothing', async (t) => {
  const { origin, node } = await open(t)
  assert.equal((await get(`${node.url}/-/peer/v1/obj/0123456789abcdef/c2Vn`)).status, 404)
  const claimed = { 'relais-hop': '2', 'relais-role': 'probe', 'relais-peer': 'node-0', 'relais-rate': '9' }
  assert.equal((await get(`${node.url}/segment.ts`, { headers: claimed })).status, 200)
  assert.equal(
    (await get(`${node.url}/private`, { method: 'POST', headers: claimed, body: 'x' })).status,
    200,
  )
  for (const { headers } of origin.asked)
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith('relais-')),
      [],
    )
})

test('what the origin says in the name of siblings reaches neither siblings nor what they decide', async (t) => {
  const origin = await openOrigin(t, (_, response) =>
    reply(response, 'a body', { ...KEPT, 'relais-error': 'shed', 'relais-rate': '99' }),
  )
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [origin.url] })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  const target = ownedBy(owner, origin.url, '.ts')
  assert.equal((await get(asker.url + target)).body.toString(), 'a body')
  assert.equal(origin.count(), 1)
  assert.equal((await asker.stats()).memory.entries, 0)
})

test('the body of news that nobody of the cluster signed is not read, and made-up names do not fill the log', async (t) => {
  const { node } = await open(t)
  const url = new URL(`${node.peerUrl}/-/peer/v1/purges`)
  // It promises a megabyte and sends none of it: who waits for that never answers.
  const head = `POST ${url.pathname} HTTP/1.1\r\nhost: a\r\nrelais-peer: x\r\ncontent-length: 1000000\r\n\r\n`
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname, () => socket.write(head))
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    socket.on('close', () => resolve(text)).on('error', reject)
  })
  assert.match(answer, /^HTTP\/1\.1 403 /)
  const strangers = new Strangers()
  const names = Array.from({ length: 1_000 }, (_, index) => strangers.nameOf(`x${index}`))
  assert.equal(new Set(names).size, 33)
})
