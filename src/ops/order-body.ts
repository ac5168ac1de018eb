/** The body of an order: JSON, of a bounded size, within a bounded time. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RelaisError } from '../errors.ts'
import { shown } from '../purge/purge-rule.ts'

export const MAX_ORDER_BYTES = 256 * 1024
const BODY_TIMEOUT_MS = 10_000

/** A hook for `onRequest`: rejects what is no JSON, and does not wait longer than this for whoever sends it in pieces. */
export async function expectOrder(
  { raw, headers, method }: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const isJson = /^application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? '')
  if (method === 'POST' && !isJson) throw new RelaisError('ORDER_TYPE')
  const timer = setTimeout(() => raw.destroy(new RelaisError('REQUEST_TIMEOUT')), BODY_TIMEOUT_MS)
  const clear = (): void => clearTimeout(timer)
  raw.once('end', clear)
  reply.raw.once('close', clear)
}

/** What Fastify says of a body, in the words of the house. */
export function inOurWords(error: Error & { readonly statusCode?: number }): RelaisError {
  if (error instanceof RelaisError) return error
  const { statusCode, message } = error
  if (statusCode === 413) return new RelaisError('ORDER_TOO_LARGE')
  if (statusCode === 415) return new RelaisError('ORDER_TYPE')
  if (statusCode !== undefined && statusCode < 500) return badOrder(`The body is no JSON: ${message}.`)
  return new RelaisError('INTERNAL', { cause: error })
}

/** `told` is one sentence: where, what was expected, and what came. */
export function badOrder(told: string): RelaisError {
  return new RelaisError('BAD_ORDER', { told })
}

/** An object of these keys and no others. */
export function readOrder(body: unknown, keys: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw badOrder(`Expected an object, and ${shown(body)} came.`)
  const order: Readonly<Record<string, unknown>> = { ...body }
  const unknown = Object.keys(order).find((key) => !keys.includes(key))
  if (unknown !== undefined)
    throw badOrder(`Expected only the keys ${keys.join(', ')}, and ${shown(unknown)} came.`)
  return order
}

/** Nobody on the way may keep the answer to an order. */
export function plain(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store').type('application/json; charset=utf-8')
}
