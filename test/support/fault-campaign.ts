/** Cuts origins at random offsets under many viewers, and counts what those got: for the test and for the bench. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { get } from './client.ts'
import { type Fault, type FileOrigin, openFileOrigin, type ServedFile } from './file-origin.ts'
import { openTestRelais } from './relais.ts'

export interface CampaignOptions {
  readonly seed: number
  /** How often origins cut; the last thing asked for may see a few more. */
  readonly cuts: number
  readonly viewers: number
  readonly origins: number
  readonly maxBytes: number
  /** Of the things asked for, the share that is another version after its first answer, and so cannot go on. */
  readonly lost: number
}

export interface CampaignFigures {
  readonly things: number
  readonly cuts: number
  /** Bodies that were, byte for byte, a version that an origin has. */
  readonly whole: number
  /** Viewers who could tell that what they got is not all: cut off, or told by an error. */
  readonly broken: number
  /** Bodies that looked whole and were not. */
  readonly wrong: number
  readonly resumptions: { readonly tried: number; readonly succeeded: number }
}

/** Rarely by silence: each costs a second, for no timer of the road is finer. */
const HOW: readonly Fault['how'][] = [...Array(8).fill('close'), ...Array(8).fill('reset'), 'silence']

/** The same seed cuts the same things at the same places, as far as the order of requests is the same. */
export async function runCampaign(
  t: Pick<TestContext, 'after'>,
  options: CampaignOptions,
): Promise<CampaignFigures> {
  const random = randomFrom(options.seed)
  const below = (bound: number): number => Math.floor(random() * bound)
  const figures = { things: 0, cuts: 0, whole: 0, broken: 0, wrong: 0 }
  let thing = { versions: versionsOf(Buffer.alloc(0), '', false), isLost: false }
  let answers = 0
  const fileOf = (): ServedFile => {
    const [first, later] = thing.versions
    answers++
    return thing.isLost && answers > 1 ? later : first
  }
  const faultOf = (_request: unknown, _nth: number, bytes: number): Fault | undefined => {
    // The first answer is cut, and of those that continue it every other one.
    if (answers > 1 && random() < 0.5) return undefined
    figures.cuts++
    return { after: below(bytes), how: HOW[below(HOW.length)] ?? 'close' }
  }
  const origins: FileOrigin[] = []
  for (let nth = 0; nth < options.origins; nth++) origins.push(await openFileOrigin(t, fileOf, faultOf))
  const relais = await openTestRelais(t, {
    origins: origins.map(({ url }) => url),
    file: { upstream: { idleTimeout: '300ms', headTimeout: '2s' }, log: { access: false } },
  })
  while (figures.cuts < options.cuts) {
    const body = bytesOf(1 + below(options.maxBytes), below(2 ** 31))
    const name = `/thing${figures.things++}.ts`
    thing = { versions: versionsOf(body, name, random() < 0.3), isLost: random() < options.lost }
    answers = 0
    const seen = await Promise.all(
      Array.from({ length: options.viewers }, () => get(relais.url + name).catch(() => undefined)),
    )
    for (const answer of seen) {
      if (answer?.isWhole !== true || answer.status !== 200) figures.broken++
      else if (isVersion(thing.versions, answer.body, answer.headers.etag)) figures.whole++
      else figures.wrong++
    }
    // The penalties of silence end, so that the first origin is cut again.
    relais.clock.advance(11_000)
  }
  const stats = await relais.stats()
  const counted = stats.routes.flatMap((route) => route.origins.map(({ resumptions }) => resumptions))
  assert.ok(stats.memory.bytes <= stats.memory.maxBytes)
  return {
    ...figures,
    resumptions: {
      tried: counted.reduce((sum, { tried }) => sum + tried, 0),
      succeeded: counted.reduce((sum, { succeeded }) => sum + succeeded, 0),
    },
  }
}

type Versions = readonly [ServedFile, ServedFile]

/** The second one has the same length and another content, the most treacherous change there is. */
function versionsOf(body: Buffer, name: string, isChunked: boolean): Versions {
  const other = Buffer.from(body.map((byte) => byte ^ 0xff))
  return [
    { body, etag: `"${name}-1"`, isChunked },
    { body: other, etag: `"${name}-2"`, isChunked },
  ]
}

function isVersion(versions: Versions, body: Buffer, etag: string | undefined): boolean {
  return versions.some((version) => version.etag === etag && version.body.equals(body))
}

/** No two places of it look alike, so that bytes at the wrong place are seen. */
function bytesOf(size: number, salt: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4))
  for (let index = 0; index < words.length; index++) words[index] = Math.imul(index + 1, 2_654_435_761) ^ salt
  return Buffer.from(words.buffer, 0, size)
}

/** Mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
