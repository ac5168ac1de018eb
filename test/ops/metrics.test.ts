/** What Prometheus reads: the same as /stats, each name explained. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { METRICS } from '../../src/ops/metrics/catalogue.ts'
import { formatMetrics } from '../../src/ops/metrics/metrics.ts'
import { get } from '../support/client.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { openSiblings } from '../support/relais-siblings.ts'
import { settled } from '../support/settled.ts'

/** A session counts as a viewer also between its connections. */
const PLAYER = '?CMCD=sid%3D%22one%22'

/** `name{labels}` to value, of all lines that are no comments. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

test('the figures are those of /stats, by route and outcome', async (t) => {
  const playlist =
    '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:6,\na.ts\n#EXT-X-ENDLIST\n'
  const origin = await openOrigin(t, ({ url }, response) =>
    reply(response, url?.includes('m3u8') ? playlist : 'x', { 'cache-control': 'max-age=60' }),
  )
  const relais = await openTestRelais(t, { origins: [origin.url] })
  for (const path of [`/v/main.m3u8${PLAYER}`, '/a.ts', '/a.ts', '/a/../b']) await get(relais.url + path)
  await settled(relais)
  const { headers, body } = await get(`${relais.url}/metrics`)
  assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/)
  assert.equal(headers['cache-control'], 'no-store')
  const samples = samplesOf(body.toString())
  const { requests, origin: asked, memory } = await relais.stats()
  assert.equal(samples.get('relais_requests_total{route="/",outcome="hit"}'), 1)
  assert.equal(samples.get('relais_requests_total{route="/",outcome="miss"}'), 2)
  assert.equal(samples.get('relais_requests_total{route="/",outcome="error"}'), 1)
  assert.equal(samples.get('relais_requests_total{route="",outcome="error"}'), 0)
  const counted = [...samples].filter(([name]) => name.startsWith('relais_requests_total'))
  assert.equal(
    counted.reduce((sum, [, value]) => sum + value, 0),
    requests.total,
  )
  const { host } = new URL(origin.url)
  assert.equal(samples.get(`relais_origin_requests_total{route="/",origin="${host}"}`), asked.requests)
  assert.equal(samples.get('relais_stored_responses{place="memory"}'), memory.entries)
  assert.equal(samples.get('relais_stream_viewers{manifest="/v/main.m3u8"}'), 1)
  assert.ok((samples.get('process_resident_memory_bytes') ?? 0) > 1e6)
})

test('what nodes ask of each other is told by sibling, and by why it was refused', async (t) => {
  const origin = await openOrigin(t, (_request, response) =>
    reply(response, 'a body', { 'cache-control': 'max-age=60' }),
  )
  const { nodes, ownedBy } = await openSiblings(t, 2, { origins: [origin.url] })
  const [asker, owner] = nodes
  assert.ok(asker && owner)
  const before = samplesOf((await get(`${asker.url}/metrics`)).body.toString())
  assert.equal(before.get('relais_sibling_requests_total{sibling="node-1",event="answered"}'), 0)
  await get(asker.url + ownedBy(owner, origin.url, '.ts'))
  const asked = samplesOf((await get(`${asker.url}/metrics`)).body.toString())
  assert.equal(asked.get('relais_sibling_requests_total{sibling="node-1",event="answered"}'), 1)
  assert.equal(asked.get('relais_sibling_bytes_total{sibling="node-1"}'), 'a body'.length)
  assert.equal(asked.get('relais_sibling_state{sibling="node-1",state="active"}'), 1)
  assert.equal(asked.get('relais_sibling_state{sibling="node-1",state="gone"}'), 0)
  assert.equal(asked.get('relais_sibling_purge_lag{sibling="node-1"}'), 0)
  const gave = samplesOf((await get(`${owner.url}/metrics`)).body.toString())
  assert.equal(gave.get('relais_peer_requests_total'), 1)
  assert.equal(gave.get('relais_peer_refused_total{why="behind"}'), 0)
})

test('what a label holds cannot break a line', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const stats = await (await openTestRelais(t, { origins: [origin.url] })).stats()
  const [route] = stats.routes
  assert.ok(route !== undefined)
  const odd = { ...stats, routes: [{ ...route, prefix: '/a"b\\c\nd/' }] }
  const { text } = await formatMetrics(odd)
  assert.ok(text.includes('relais_viewer_bytes_total{route="/a\\"b\\\\c\\nd/"} 0\n'), text)
})

test('to those who are not trusted it does not exist, and it is never the origin’s', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const relais = await openTestRelais(t, { origins: [origin.url], file: { ops: { trusted: [] } } })
  for (const method of ['GET', 'POST', 'PUT', 'DELETE'])
    assert.equal((await fetch(`${relais.url}/metrics`, { method })).status, 404, method)
  assert.equal(origin.count(), 0)
})

test('every metric has its sentence in docs/metrics.md, and nothing else has', () => {
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  const documented = page
    .split('\n')
    .filter((line) => /^\| `(relais|process)_/.test(line))
    .map((line) => line.slice(2, -2))
  const real = METRICS.map(
    ({ name, type, labels, help }) =>
      `\`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help}`,
  )
  assert.deepEqual(documented.toSorted(), real.toSorted())
})
