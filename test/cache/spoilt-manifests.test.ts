/** A manifest that is none, or breaks off, is a failure of its origin, and the next one is asked. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { get } from '../support/client.ts'
import { type Handler, openOrigin, reply, type TestOrigin } from '../support/origin.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { HLS_TYPE, playlistWithParts } from './support/parts-playlist.ts'

const page: Handler = (_request, response) => reply(response, '<html>sorry</html>', HLS_TYPE)

const SPOILT: readonly (readonly [string, Handler, string])[] = [
  ['a page in place of a playlist', page, 'BAD_MANIFEST'],
  [
    'a playlist that breaks off',
    (_request, response) => {
      response.writeHead(200, { ...HLS_TYPE, 'content-length': '400' })
      response.write('#EXTM3U\n', () => response.destroy())
    },
    'RESPONSE_INCOMPLETE',
  ],
]

interface House {
  readonly one: TestOrigin
  readonly two: TestOrigin
  readonly relais: TestRelais
}

async function open(t: TestContext, one: Handler, two: Handler): Promise<House> {
  const origins = [await openOrigin(t, one), await openOrigin(t, two)] as const
  const relais = await openTestRelais(t, { origins: origins.map(({ url }) => url) })
  return { one: origins[0], two: origins[1], relais }
}

const whole: Handler = (request, response) =>
  reply(response, playlistWithParts(request.url?.includes('part=0') === true ? 1 : 0), HLS_TYPE)

for (const [what, spoilt, error] of SPOILT) {
  test(`for ${what} the next origin is asked, and the first one last for a while`, async (t) => {
    const { one, two, relais } = await open(t, spoilt, whole)
    const { status, body } = await get(`${relais.url}/p.m3u8`)
    assert.deepEqual([status, body.toString()], [200, playlistWithParts(0)])
    await get(`${relais.url}/other.m3u8`)
    assert.deepEqual([one.count(), two.count()], [1, 2])
    relais.clock.advance(6_001)
    one.answer(whole)
    await get(`${relais.url}/third.m3u8`)
    assert.deepEqual([one.count(), two.count()], [2, 2], 'it is tried again')
  })

  test(`for ${what} a blocking reload has the next origin asked for the same part`, async (t) => {
    const { one, two, relais } = await open(t, whole, whole)
    await get(`${relais.url}/p.m3u8`)
    one.answer(spoilt)
    relais.clock.advance(500)
    const target = '/p.m3u8?_HLS_msn=13&_HLS_part=0'
    const { status, body } = await get(relais.url + target)
    assert.deepEqual([status, body.toString()], [200, playlistWithParts(1)])
    assert.deepEqual([one.count(), two.count()], [2, 1])
    assert.equal(two.count(target), 1)
  })

  test(`for ${what} at every origin the error stands, and each was asked once`, async (t) => {
    const { one, two, relais } = await open(t, whole, whole)
    await get(`${relais.url}/p.m3u8`)
    for (const origin of [one, two]) origin.answer(spoilt)
    relais.clock.advance(500)
    const answer = await get(`${relais.url}/p.m3u8?_HLS_msn=13&_HLS_part=0`)
    assert.equal(JSON.parse(answer.body.toString()).error, error)
    assert.deepEqual([one.count(), two.count()], [2, 1])
  })
}

test('for a page in place of a playlist that is for one viewer the next origin is asked as well', async (t) => {
  const alone: Handler = (_request, response) =>
    reply(response, playlistWithParts(0), { ...HLS_TYPE, 'cache-control': 'no-store' })
  const { one, two, relais } = await open(t, alone, alone)
  await get(`${relais.url}/p.m3u8`)
  one.answer(page)
  const { status, body } = await get(`${relais.url}/p.m3u8`)
  assert.deepEqual([status, body.toString()], [200, playlistWithParts(0)])
  assert.deepEqual([one.count(), two.count()], [2, 1])
})
