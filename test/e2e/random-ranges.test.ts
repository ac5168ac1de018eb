/** Thousands of ranges anywhere in a film that memory cannot hold: every slice is asked of the origin once, every byte is right. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { get } from '../support/client.ts'
import { filmBytes, MIB, openFilmOrigin } from '../support/film.ts'
import { openTestRelais, type TestRelais } from '../support/relais.ts'
import { settled } from '../support/settled.ts'

const FILM_BYTES = 64 * MIB
const SLICE_BYTES = 512 * 1024
const RANGES = 2_000
const MOST_BYTES = 64 * 1024
const VIEWERS = 8

test('random ranges of a film that only the disk can hold ask for each slice once', async (t) => {
  const origin = await openFilmOrigin(t, { size: FILM_BYTES })
  const file = {
    memory: { maxBytes: '8MB', maxEntryBytes: '1MB' },
    disk: { path: await directory(t), maxBytes: '256MB' },
    slices: { bytes: '512KB' },
  }
  const before = await openTestRelais(t, { origins: [origin.url], file })
  await watch(before, RANGES, 1)
  const { memory } = await settled(before)
  assert.ok(memory.bytes <= 8 * MIB)
  assert.ok(memory.evictions > 0, 'memory was too small for the film')
  assertOnce(origin.ranges)
  // Nor are they asked for again after a restart.
  await before.close()
  const asked = origin.count()
  const after = await openTestRelais(t, { origins: [origin.url], file })
  await watch(after, RANGES / 4, 1)
  assert.equal(origin.count(), asked)
})

test('random ranges of a film that memory holds ask for each slice once', async (t) => {
  const origin = await openFilmOrigin(t, { size: FILM_BYTES })
  const file = { memory: { maxBytes: '128MB' }, slices: { bytes: '512KB' } }
  const relais = await openTestRelais(t, { origins: [origin.url], file })
  await watch(relais, RANGES, 2)
  assertOnce(origin.ranges)
  const { requests, origin: asked } = await settled(relais)
  assert.equal(asked.requests, origin.count())
  assert.equal(requests.pass + requests.error, 0)
})

/** Several viewers take their ranges from one row, which is the same for the same seed. */
async function watch(relais: TestRelais, ranges: number, seed: number): Promise<void> {
  const random = seeded(seed)
  let begun = 0
  const view = async (): Promise<void> => {
    while (begun++ < ranges) {
      const length = 1 + Math.floor(random() * MOST_BYTES)
      const first = Math.floor(random() * (FILM_BYTES - length + 1))
      const last = first + length - 1
      const answer = await get(`${relais.url}/film.mp4`, { headers: { range: `bytes=${first}-${last}` } })
      assert.equal(answer.status, 206)
      assert.equal(answer.headers['content-range'], `bytes ${first}-${last}/${FILM_BYTES}`)
      assert.ok(answer.body.equals(filmBytes(first, last)), `bytes ${first}-${last}`)
    }
  }
  await Promise.all(Array.from({ length: VIEWERS }, view))
}

/** All that the origin was asked for: aligned slices, none twice. */
function assertOnce(ranges: readonly string[]): void {
  assert.equal(new Set(ranges).size, ranges.length, 'a slice was asked for twice')
  assert.ok(ranges.length <= FILM_BYTES / SLICE_BYTES)
  for (const range of ranges) {
    const first = Number(/^bytes=(\d+)-/.exec(range)?.[1])
    assert.equal(range, `bytes=${first}-${first + SLICE_BYTES - 1}`)
    assert.equal(first % SLICE_BYTES, 0)
  }
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'relais-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Numbers from 0 to 1 that are the same in every run (a linear congruential generator, Numerical Recipes). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
