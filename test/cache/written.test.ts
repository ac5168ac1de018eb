/** What a write makes untrue: its target and what its answer names of the same origin, and nothing else (RFC 9111 section 4.4). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writtenKeys } from '../../src/cache/written.ts'
import type { Fields } from '../../src/rfc/heads.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { routeOf } from './support/route.ts'

const BASE = 'http://origin.example:8080/channels/'
const LIVE = routeOf({ prefix: '/live/', base: BASE })
const VOD = routeOf({ prefix: '/vod/', base: 'http://origin.example:8080/films/' })
const OTHER = routeOf({ prefix: '/other/', base: 'http://other.example/' })

function keysAfter(fields: Fields, status = 200): readonly string[] {
  return writtenKeys([LIVE, VOD, OTHER], LIVE, '/live/a/edit?x=1', { status, fields })
}

const TARGET = `${BASE}a/edit?x=1`

const NAMED: readonly (readonly [string, Fields, readonly string[]])[] = [
  ['nothing', {}, []],
  ['a path', { location: '/channels/b' }, [`${BASE}b`]],
  ['a relative path', { 'content-location': 'b?q=1' }, [`${BASE}a/b?q=1`]],
  ['an absolute address of the same origin', { location: `${BASE}b` }, [`${BASE}b`]],
  ['a fragment', { location: '/channels/b#part' }, [`${BASE}b`]],
  ['both', { location: '/channels/b', 'content-location': '/channels/c' }, [`${BASE}b`, `${BASE}c`]],
  ['what another route leads to', { location: '/films/b' }, ['http://origin.example:8080/films/b']],
  ['what no route leads to', { location: '/secret/b' }, []],
  ['another host', { location: 'http://other.example/b' }, []],
  ['another port', { location: 'http://origin.example/channels/b' }, []],
  ['another scheme', { location: 'https://origin.example:8080/channels/b' }, []],
  ['another host without a scheme', { location: '//other.example/b' }, []],
  ['no address', { location: 'http://[' }, []],
  ['two addresses', { location: ['/channels/b', '/channels/c'] }, []],
]
for (const [what, fields, expected] of NAMED) {
  test(`an answer to a write that names ${what} makes ${expected.length} more untrue`, () => {
    assert.deepEqual(keysAfter(fields), [TARGET, ...expected])
  })
}

test('a write that failed makes nothing untrue', () => {
  for (const status of [199, 400, 404, 500, 503])
    assert.deepEqual(keysAfter({ location: '/channels/b' }, status), [])
  for (const status of [200, 201, 204, 303])
    assert.equal(keysAfter({ location: '/channels/b' }, status).length, 2)
})

test('what the answer to a write names is asked for anew, other things are not', async (t) => {
  let version = 1
  const origin = await openOrigin(t, (request, response) => {
    if (request.method === 'GET') reply(response, `version ${version}`, { 'cache-control': 'max-age=60' })
    else reply(response, '', { location: '/list', 'content-location': 'item' }, 201)
  })
  const relais = await openTestRelais(t, { origins: [origin.url] })
  const read = async (path: string): Promise<string> => String((await get(relais.url + path)).body)
  for (const path of ['/list', '/item', '/untouched']) assert.equal(await read(path), 'version 1')
  version = 2
  await get(`${relais.url}/items`, { method: 'POST', body: 'x' })
  assert.deepEqual(
    [await read('/list'), await read('/item'), await read('/untouched')],
    ['version 2', 'version 2', 'version 1'],
  )
})
