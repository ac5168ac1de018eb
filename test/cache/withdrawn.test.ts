/** What was stored for all, and is taken back when it is validated. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barrier, until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { openFilmOrigin } from '../support/film.ts'
import { openTestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'
import { openViewer } from '../support/viewer.ts'

test('a 304 that makes a response private speaks to the viewer who caused it, and the others ask for themselves', async (t) => {
  for (const [path, range] of [
    ['seg1.ts', {}],
    ['film.mp4', { range: 'bytes=0-9' }],
  ] as const) {
    const film = await openFilmOrigin(t)
    const relais = await openTestRelais(t, { origins: [film.url] })
    await get(`${relais.url}/${path}`, { headers: range })
    await settled(relais)
    relais.clock.advance(61_000)
    const head = barrier()
    film.answer(async (request, response) => {
      await head.opened
      film.film.fields = { 'cache-control': 'private', 'x-for': String(film.count()) }
      await film.show(request, response)
    })
    const viewers = Array.from({ length: 5 }, () => openViewer(`${relais.url}/${path}`, { headers: range }))
    await until(async () => (await relais.stats()).waiting === 5, 'all are connected')
    head.open()
    const answers = await Promise.all(viewers.map(({ answer }) => answer))
    for (const answer of answers) assert.equal(answer.headers['cache-control'], 'private')
    assert.equal(
      answers.filter(({ headers }) => String(headers['cache-status']).includes('collapsed;')).length,
      0,
    )
    assert.ok(film.count() > 5)
    assert.equal((await settled(relais)).memory.entries, 0)
  }
})
