/** Where a node is told what to purge: POST /-/purge, and the method PURGE on the address itself. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Applied } from '../cache/purges/applied.ts'
import type { Purges } from '../cache/purges/purges.ts'
import type { Route } from '../cache/routes.ts'
import { RelaisError } from '../errors.ts'
import type { AddressBook } from '../media/addresses/address-book.ts'
import {
  isBadPurge,
  type PurgeKind,
  type PurgeOrder,
  type PurgeRule,
  readPurgeOrder,
  shown,
} from '../purge/purge-rule.ts'
import type { OfficeHooks } from './office.ts'
import { badOrder, expectOrder, inOurWords, MAX_ORDER_BYTES, plain, readOrder } from './order-body.ts'
import { ownAddress } from './own-address.ts'

export interface PurgeDeskContext {
  readonly purges: Purges
  readonly routes: readonly Route[]
  readonly addresses: AddressBook
  /** Those of the cluster who have not said within this time that this purge is in force there, by name; absent: there is no cluster. */
  readonly laggards?:
    | ((purge: Pick<PurgeRule, 'by' | 'sequence'>, ms: number) => Promise<readonly string[]>)
    | undefined
}

/** What the answer says of it; docs/purging.md explains each. */
export interface PurgeAnswer {
  readonly sequence: number
  readonly by: string
  readonly applied: true
  readonly soft: boolean
  readonly deleted: number
  readonly saved: boolean
  readonly listed?: number
  readonly complete?: boolean
  readonly laggards?: readonly string[]
}

/** By the key of the order that has the values. */
const KINDS: Readonly<Record<string, PurgeKind>> = {
  url: 'url',
  urls: 'url',
  prefix: 'prefix',
  tag: 'tag',
  tags: 'tag',
  stream: 'stream',
  route: 'route',
  all: 'all',
}
const KEYS = [...Object.keys(KINDS), 'soft', 'wait']
/** How long all others are waited for; by then who is dead is known to be. */
const MOST_WAIT_MS = 10_000

export function openPurgeDesk(app: FastifyInstance, hooks: OfficeHooks, context: PurgeDeskContext): void {
  app.post(
    '/-/purge',
    {
      onRequest: [hooks.onRequest, expectOrder],
      bodyLimit: MAX_ORDER_BYTES,
      errorHandler: (error) => {
        throw inOurWords(error)
      },
    },
    async (request, reply) => {
      const { order, isForAll } = purgeOrderOf(request.body, request.headers.host, context)
      const answer = answerOf(order, await context.purges.issue(order))
      if (!isForAll) return plain(reply).send(answer)
      const laggards = (await context.laggards?.(answer, MOST_WAIT_MS)) ?? []
      return plain(reply).send({ ...answer, laggards })
    },
  )
}

/** One address by the method PURGE; `Soft-Purge: 1` makes it stale. Rejects with BAD_ORDER or NO_ROUTE. */
export async function purgeTarget(
  request: FastifyRequest,
  target: string,
  context: PurgeDeskContext,
): Promise<PurgeAnswer> {
  const soft = request.headers['soft-purge']
  if (soft !== undefined && soft !== '0' && soft !== '1')
    throw badOrder(`Soft-Purge: expected 0 or 1, and ${shown(soft)} came.`)
  const order = checked({ kind: 'url', values: [target], soft: soft === '1' }, context.routes)
  return answerOf(order, await context.purges.issue(order))
}

function purgeOrderOf(
  body: unknown,
  host: string | undefined,
  { routes, addresses }: PurgeDeskContext,
): { readonly order: PurgeOrder; readonly isForAll: boolean } {
  const given = readOrder(body, KEYS)
  const { wait } = given
  if (wait !== undefined && wait !== 'all') throw badOrder(`wait: expected "all", and ${shown(wait)} came.`)
  const isForAll = wait !== undefined
  const named = Object.keys(KINDS).filter((key) => given[key] !== undefined)
  const [key, ...more] = named
  const kind = key === undefined ? undefined : KINDS[key]
  if (key === undefined || kind === undefined || more.length > 0) {
    const came = named.length === 0 ? 'none' : named.join(' and ')
    throw badOrder(`Expected one of ${Object.keys(KINDS).join(', ')}, and ${came} came.`)
  }
  const { soft = false } = given
  const value = given[key]
  if (kind === 'all') {
    if (value !== true) throw badOrder(`all: expected true, and ${shown(value)} came.`)
    return { order: checked({ kind, values: [], soft }, routes), isForAll }
  }
  const values: unknown = key === 'urls' || key === 'tags' ? value : [value]
  if (!Array.isArray(values)) throw badOrder(`${key}: expected a list, and ${shown(values)} came.`)
  const isAddress = kind === 'url' || kind === 'prefix' || kind === 'stream'
  const own = isAddress ? values.map((one) => ownAddress(addresses, host, key, one)) : values
  return { order: checked({ kind, values: own, soft }, routes), isForAll }
}

function checked(
  given: { readonly kind: PurgeKind; readonly values: readonly unknown[]; readonly soft: unknown },
  routes: readonly Route[],
): PurgeOrder {
  const order = readPurgeOrder(given)
  if (isBadPurge(order)) throw badOrder(`${order.bad}.`)
  const { kind, values } = order
  const prefixes = routes.map(({ prefix }) => prefix)
  if (kind === 'route') {
    const other = values.find((value) => !prefixes.includes(value))
    if (other !== undefined)
      throw badOrder(`route: expected one of ${prefixes.join(', ')}, and ${shown(other)} came.`)
  }
  if (kind === 'url' || kind === 'stream' || kind === 'prefix') {
    const isOurs = (value: string): boolean =>
      prefixes.some((prefix) => value.startsWith(prefix) || (kind === 'prefix' && prefix.startsWith(value)))
    const other = values.find((value) => !isOurs(value))
    if (other !== undefined)
      throw new RelaisError('NO_ROUTE', {
        told: `The routes are ${prefixes.join(', ')}, and ${shown(other)} came.`,
      })
  }
  return order
}

function answerOf({ soft }: PurgeOrder, applied: Applied): PurgeAnswer {
  const { sequence, by, deleted, isSaved, listed, isComplete } = applied
  const told = { sequence, by, applied: true, soft, deleted, saved: isSaved } as const
  return listed === undefined ? told : { ...told, listed, complete: isComplete ?? true }
}
