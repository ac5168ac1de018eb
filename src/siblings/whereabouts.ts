/** Where the siblings are, and what this node is itself: a list, or the records of a name. */
import { Resolver } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import type { Clock, Instant } from '../rfc/heads.ts'
import type { Whereabouts } from './carrier.ts'
import type { Expected, SelfDescription } from './live-roster.ts'
import type { ClusterOptions, DnsOptions } from './options.ts'

const DEFAULT_ZONE = 'default'
/** An address that is not in the answers any more is asked for so long: records that come and go are no reason to forget anyone. */
const KEPT_FOR_MS = 15_000
/** More addresses than any cluster has. */
const MAX_ADDRESSES = 256
const DNS_TIMEOUT_MS = 2_000
const DNS_TRIES = 2

/** This node, as siblings are told: what it says of itself, else its own entry in the list, else what is usual. */
export function selfOf(node: string, options: ClusterOptions, port: number): SelfDescription {
  const entry = options.siblings.find(({ id }) => id === node)
  return {
    id: node,
    url: withoutSlash(options.url ?? entry?.url ?? urlOf(options.listen.host, port)),
    publicUrl: optional(options.publicUrl ?? entry?.publicUrl),
    zone: options.zone ?? entry?.zone ?? DEFAULT_ZONE,
    weight: options.weight ?? entry?.weight ?? 1,
  }
}

/** The siblings of the list, without this node. */
export function expectedOf(node: string, options: ClusterOptions): readonly Expected[] {
  const { zone } = selfOf(node, options, 0)
  return options.siblings
    .filter(({ id }) => id !== node)
    .map((sibling) => ({
      id: sibling.id,
      url: withoutSlash(sibling.url),
      publicUrl: optional(sibling.publicUrl),
      zone: sibling.zone ?? zone,
      weight: sibling.weight,
    }))
}

/** What is asked of DNS. Rejects as node:dns does. */
export interface Records {
  resolve4(name: string): Promise<readonly string[]>
  resolve6(name: string): Promise<readonly string[]>
  resolveSrv(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>
}

/** The machine's own, with its waiting bounded. */
export function systemRecords(): Records {
  return new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES })
}

export interface DnsContext {
  readonly records: Records
  readonly clock: Clock
  readonly onTrouble: (what: string, error: unknown) => void
}

/** Siblings by DNS. While it answers nothing, or an error, those known last stay. */
export class DnsWhereabouts {
  readonly #options: DnsOptions
  readonly #context: DnsContext
  /** Since when each is in no answer; undefined: it is in the last one. */
  readonly #missingSince = new Map<string, Instant | undefined>()
  #askedAt: Instant = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined

  constructor(options: DnsOptions, context: DnsContext) {
    this.#options = options
    this.#context = context
  }

  get list(): readonly Whereabouts[] {
    return [...this.#missingSince.keys()].map((url) => ({ url, id: undefined }))
  }

  /** To be called each second or so: asks when it is time. Never rejects. */
  refresh(): Promise<void> {
    const { clock } = this.#context
    const isEarly = Math.abs(clock() - this.#askedAt) < this.#options.every
    if (this.#asking !== undefined || isEarly) return this.#asking ?? Promise.resolve()
    this.#askedAt = clock()
    this.#asking = this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(): Promise<void> {
    const { name, type } = this.#options
    const { onTrouble, clock } = this.#context
    try {
      const urls = await (type === 'srv' ? this.#services() : this.#addresses())
      if (urls.length === 0) throw new Error(`${name} has no records`)
      const now = clock()
      const there = new Set(urls.slice(0, MAX_ADDRESSES))
      for (const [url, since = now] of this.#missingSince) {
        // Of answers that are further apart than that it takes two: the first one may be half of the truth.
        if (now - since >= KEPT_FOR_MS) this.#missingSince.delete(url)
        else this.#missingSince.set(url, since)
      }
      for (const url of there) this.#missingSince.set(url, undefined)
    } catch (error) {
      onTrouble(`DNS has no siblings under ${name}; those known last stay`, error)
    }
  }

  async #services(): Promise<readonly string[]> {
    const records = await this.#context.records.resolveSrv(this.#options.name)
    return records.map(({ name, port }) => urlOf(name, port))
  }

  /** One family is enough. */
  async #addresses(): Promise<readonly string[]> {
    const { records } = this.#context
    const { name, port } = this.#options
    const [v4, v6] = await Promise.allSettled([records.resolve4(name), records.resolve6(name)])
    if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason
    return [v4, v6]
      .flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
      .map((ip) => urlOf(ip, port))
  }
}

function urlOf(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`
}

function withoutSlash(url: string): string {
  return url.replace(/\/$/, '')
}

function optional(value: string | null | undefined): string | undefined {
  return value ?? undefined
}
