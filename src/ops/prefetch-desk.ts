/** Where a node is told what to fetch: POST /-/prefetch begins a job, GET tells how far it is, DELETE ends it. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Choice, JobOrder } from '../cache/prefetch/job-order.ts'
import type { Jobs } from '../cache/prefetch/jobs.ts'
import type { Route } from '../cache/routes.ts'
import { RelaisError } from '../errors.ts'
import type { AddressBook } from '../media/addresses/address-book.ts'
import { shown } from '../purge/purge-rule.ts'
import type { OfficeHooks } from './office.ts'
import { badOrder, expectOrder, inOurWords, MAX_ORDER_BYTES, plain, readOrder } from './order-body.ts'
import { ownAddress } from './own-address.ts'

const MAX_URLS = 1_000
const MAX_CHOSEN = 100
const KEYS = ['url', 'urls', 'manifest', 'renditions', 'from', 'to']
const CHOICE_KEYS = ['minBandwidth', 'maxBandwidth', 'heights', 'names']

export interface PrefetchDeskContext {
  readonly jobs: Jobs
  readonly routes: readonly Route[]
  readonly addresses: AddressBook
}

export function openPrefetchDesk(
  app: FastifyInstance,
  { onRequest }: OfficeHooks,
  context: PrefetchDeskContext,
): void {
  const errorHandler = (error: Error): never => {
    throw inOurWords(error)
  }
  const options = { onRequest: [onRequest, expectOrder], bodyLimit: MAX_ORDER_BYTES, errorHandler }
  app.post('/-/prefetch', options, async (request, reply) => {
    const order = jobOrderOf(request.body, request.headers.host, context)
    return plain(reply).code(202).send(context.jobs.start(order))
  })
  const one = (request: FastifyRequest): string =>
    request.url.slice('/-/prefetch/'.length).split('?', 1)[0] ?? ''
  app.get('/-/prefetch/:id', { onRequest, exposeHeadRoute: true }, async (request, reply) =>
    plain(reply).send(known(context.jobs.progress(one(request)))),
  )
  app.delete('/-/prefetch/:id', options, async (request, reply) =>
    plain(reply).send(known(context.jobs.cancel(one(request)))),
  )
}

function known<T>(found: T | undefined): T {
  if (found === undefined) throw new RelaisError('NOT_FOUND', { told: 'No such job is known here.' })
  return found
}

function jobOrderOf(
  body: unknown,
  host: string | undefined,
  { routes, addresses }: PrefetchDeskContext,
): JobOrder {
  const given = readOrder(body, KEYS)
  const named = ['url', 'urls', 'manifest'].filter((key) => given[key] !== undefined)
  const [key, ...more] = named
  if (key === undefined || more.length > 0)
    throw badOrder(`Expected one of url, urls, manifest, and ${named.join(' and ') || 'none'} came.`)
  const ours = (value: unknown): string => {
    const target = ownAddress(addresses, host, key, value)
    if (!/^[\x21-\x7e]+$/.test(target))
      throw badOrder(`${key}: expected printable ASCII, and ${shown(value)} came.`)
    if (!routes.some(({ prefix }) => target.startsWith(prefix)) || addresses.reserves(target))
      throw new RelaisError('NO_ROUTE', { told: `No route answers for ${shown(value)}.` })
    return target
  }
  if (key !== 'manifest') {
    const other = ['renditions', 'from', 'to'].find((name) => given[name] !== undefined)
    if (other !== undefined) throw badOrder(`${other}: expected with a manifest only.`)
    const urls: unknown = key === 'urls' ? given[key] : [given[key]]
    if (!Array.isArray(urls) || urls.length < 1 || urls.length > MAX_URLS)
      throw badOrder(`${key}: expected a list of 1 to ${MAX_URLS} addresses, and ${countOf(urls)} came.`)
    return { kind: 'urls', urls: [...new Set(urls.map(ours))] }
  }
  const fromMs = secondsOf('from', given['from'], 0) * 1000
  const toMs = secondsOf('to', given['to'], Number.POSITIVE_INFINITY) * 1000
  if (toMs <= fromMs) throw badOrder(`to: expected seconds after from, and ${shown(given['to'])} came.`)
  const renditions = choiceOf(given['renditions'])
  return { kind: 'manifest', manifest: ours(given['manifest']), renditions, fromMs, toMs }
}

function choiceOf(value: unknown): Choice {
  if (value === undefined) return {}
  const { minBandwidth, maxBandwidth, heights, names } = readOrder(value, CHOICE_KEYS)
  return {
    minBandwidth: secondsOf('renditions.minBandwidth', minBandwidth, 0),
    maxBandwidth: secondsOf('renditions.maxBandwidth', maxBandwidth, Number.POSITIVE_INFINITY),
    ...(heights === undefined ? {} : { heights: listOf('heights', heights, isNumber) }),
    ...(names === undefined ? {} : { names: listOf('names', names, isText) }),
  }
}

/** A number of 0 or more. */
function secondsOf(where: string, value: unknown, absent: number): number {
  if (value === undefined) return absent
  if (isNumber(value)) return value
  throw badOrder(`${where}: expected a number of 0 or more, and ${shown(value)} came.`)
}

function listOf<T>(where: string, value: unknown, is: (one: unknown) => one is T): readonly T[] {
  if (Array.isArray(value) && value.length >= 1 && value.length <= MAX_CHOSEN && value.every(is)) return value
  const what = where === 'heights' ? 'numbers' : 'names'
  throw badOrder(
    `renditions.${where}: expected a list of 1 to ${MAX_CHOSEN} ${what}, and ${shown(value)} came.`,
  )
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function countOf(value: unknown): string {
  return Array.isArray(value) ? `${value.length}` : shown(value)
}
