/** Routes and stored responses for tests of the judge that need neither sockets nor stores. */
import type { Route } from '../../../src/cache/routes.ts'
import type { Freshness } from '../../../src/rfc/freshness.ts'
import type { Fields, RequestHead } from '../../../src/rfc/heads.ts'
import { GrowingBody } from '../../../src/store/growing-body.ts'
import type { StoredHead, StoredResponse } from '../../../src/store/store.ts'

export function routeOf(more: Partial<Route> = {}): Route {
  return {
    prefix: '/',
    base: more.prefix ?? '/',
    cookies: 'forward',
    requestDirectives: 'ignore',
    ignoreQuery: new Set(),
    source: { name: 'none', fetch: () => Promise.reject(new Error('nobody is asked here')) },
    ...more,
  }
}

export function requestOf(fields: Fields = {}, method = 'GET', target = '/seg1.ts'): RequestHead {
  return { method, target, fields }
}

/** Born at 0, fresh for ten seconds, twenty more while it is validated, thirty more when that fails. */
export function freshnessFor(more: Partial<Freshness> = {}): Freshness {
  return {
    bornAt: 0,
    freshUntil: 10_000,
    staleWhileRevalidateUntil: 30_000,
    staleIfErrorUntil: 60_000,
    mustValidate: false,
    immutable: false,
    explicit: true,
    ...more,
  }
}

export function storedOf(fields: Fields = {}, freshness: Partial<Freshness> = {}): StoredResponse {
  const head: StoredHead = {
    key: '/seg1.ts',
    status: 200,
    fields,
    variant: {},
    freshness: freshnessFor(freshness),
    silent: { freshMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 },
    kind: 'segment',
    admission: 'always',
    storedAt: 0,
  }
  return { head, body: new GrowingBody(0) }
}
