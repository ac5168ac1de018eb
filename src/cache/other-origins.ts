/** Asking the other origins of a route, where one lags behind, stands still, or sends what is of no use. */
import { type ErrorName, RelaisError } from '../errors.ts'
import { withoutDirectives } from '../media/directives.ts'
import { type ManifestFacts, type StreamTiming, timingOf } from '../media/facts.ts'
import { isManifest } from '../media/kind.ts'
import { compare, type Progress } from '../media/progress.ts'
import type { Instant } from '../rfc/heads.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import { recognise } from './first-chunk.ts'
import type { CacheContext, Order } from './journey.ts'
import { collect } from './manifest-body.ts'
import type { Route } from './routes.ts'
import { shared } from './upstream-request.ts'

/** When a stream says nothing of its pace. */
const USUAL_PACE_MS = 6_000
/** How long who lags behind is asked last, and how long nobody is believed who says less, in paces. */
const LONG_PACES = 3
/** What says less than was said so long ago is believed all the same: else its viewers would wait for ever. */
const LONGEST_REFUSAL_MS = 30_000

/** What is heard of only when the head has come, so that the road has asked nobody else for it. */
const SPOILT: ReadonlySet<ErrorName> = new Set(['BAD_MANIFEST', 'READ_TIMEOUT', 'RESPONSE_INCOMPLETE'])

/** The furthest that a stream has come. */
export interface Known {
  readonly facts: ManifestFacts
  readonly movedAt: Instant
  /** What was asked for until then may be of another run under the same name. */
  readonly restartedAt: Instant | undefined
}

/** One after the other, each once: who was asked is asked last from then on. Undefined: none knows better. Never rejects. */
export async function elsewhere(
  context: CacheContext,
  order: Order,
  from: string,
  known: Known,
  progress: 'same' | 'older',
): Promise<UpstreamResponse | undefined> {
  const { route, request } = order
  const paceMs = paceOf(known.facts)
  for (let late = from; route.source.demote?.(late, paceMs) === true; ) {
    const came = await ask(context, order)
    if (came === undefined) return undefined
    const now = context.clock()
    const next = progressOf(known, came.facts, now)
    const isBetter =
      next === 'newer' ||
      (next === 'same' && progress === 'older') ||
      // Another run of the encoder, and the one before has fallen silent.
      (next === 'restarted' && now - known.movedAt > LONG_PACES * paceMs)
    if (isBetter) {
      route.source.demote(from, LONG_PACES * paceMs)
      context.onTrouble(`${from} lags behind ${came.response.from}`, undefined, request.target)
      return came.response
    }
    late = came.response.from
  }
  return undefined
}

/**
 * What `ask` brings; where an origin answered with what is none of it or breaks off, that one is asked last for a pace, and
 * the next one asked, each once. Rejects as the last one did.
 */
export async function unspoilt<Came>(
  context: Pick<CacheContext, 'streams' | 'onTrouble'>,
  route: Route,
  target: string,
  signal: AbortSignal,
  ask: () => Promise<Came>,
): Promise<Came> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const isSpoilt = error instanceof RelaisError && SPOILT.has(error.code) && !signal.aborted
      const from = isSpoilt ? error.nextHop : undefined
      const paceMs = paceOfTiming(context.streams.timingOf(target))
      if (from === undefined || route.source.demote?.(from, paceMs) !== true) throw error
      context.onTrouble(`${from} sent what is of no use, and the next origin is asked`, error, target)
    }
  }
}

export function progressOf(known: Known, came: ManifestFacts, now: Instant): Progress {
  const keptForMs = now - known.movedAt
  const progress = compare(known.facts, came, keptForMs)
  const longestMs = Math.max(LONGEST_REFUSAL_MS, LONG_PACES * paceOf(known.facts))
  return progress === 'older' && keptForMs > longestMs ? 'restarted' : progress
}

/** In milliseconds. */
export function paceOf(facts: ManifestFacts): number {
  return paceOfTiming(timingOf(facts))
}

function paceOfTiming(timing: StreamTiming | undefined): number {
  return (
    timing?.targetDurationMs ?? timing?.segmentDurationMs ?? timing?.minimumUpdatePeriodMs ?? USUAL_PACE_MS
  )
}

async function ask(
  context: CacheContext,
  { route, request }: Order,
): Promise<{ response: UpstreamResponse; facts: ManifestFacts } | undefined> {
  try {
    // Without directives: nobody is to be made to wait once more for what another origin holds back.
    const plain = { ...request, target: withoutDirectives(request.target) }
    const asked = shared(route, plain, context.node)
    const arrived = await route.source.fetch(asked, new AbortController().signal)
    const { kind, response } = await recognise(request.target, arrived, 0)
    if (isManifest(kind) && response.head.status === 200) {
      const sent: Uint8Array[] = []
      const read = { ...response, body: noting(response.body, sent) }
      const { facts } = await collect(context.manifests, read, kind, request.target)
      // As it was sent: it is going to be received like all else.
      if (facts !== undefined) return { facts, response: { ...arrived, body: replay(sent) } }
    }
    response.cancel()
    return undefined
  } catch (error) {
    // What came first is still an answer.
    context.onTrouble('another origin could not be asked', error, request.target)
    return undefined
  }
}

async function* noting(body: AsyncIterable<Uint8Array>, sent: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    sent.push(chunk)
    yield chunk
  }
}

async function* replay(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
