/** The configuration as a whole: the sum of the rooms' own options. */
import { type Static, Type } from 'typebox'
import {
  type AddressOptions,
  addressOptions,
  type RouteOptions,
  routeOptions,
  type SliceOptions,
  sliceOptions,
} from '../cache/options.ts'
import { type PrefetchOptions, prefetchOptions } from '../cache/prefetch/options.ts'
import {
  type CmcdOptions,
  cmcdOptions,
  type HttpOptions,
  httpOptions,
  type ListenOptions,
  listenOptions,
} from '../http/options.ts'
import { type LogOptions, logOptions, type OpsOptions, opsOptions } from '../ops/options.ts'
import { type ClusterOptions, clusterOptions } from '../siblings/options.ts'
import { type DiskOptions, diskOptions, type MemoryOptions, memoryOptions } from '../store/options.ts'
import { type UpstreamOptions, upstreamOptions } from '../upstream/options.ts'

/** The demo origin is a program of its own, so its options stand here. */
export const demoOptions = Type.Object(
  {
    host: Type.String({
      description: 'The address that the demo origin listens on.',
      default: '127.0.0.1',
      minLength: 1,
    }),
    port: Type.Integer({
      description: 'Its TCP port. 0 takes any free one.',
      default: 9000,
      minimum: 0,
      maximum: 65535,
    }),
  },
  {
    description:
      'When present, the embedded demo origin is started. When there are no routes, it is the origin of "/".',
    additionalProperties: false,
  },
)

export interface DemoOptions extends Readonly<Static<typeof demoOptions>> {}

export const configSchema = Type.Object(
  {
    $schema: Type.Optional(
      Type.String({ description: 'Where an editor finds the schema of this file. Relais ignores it.' }),
    ),
    node: Type.String({
      description: 'The name of this node in Via, Cache-Status, the log and /stats.',
      'x-default': 'the host name',
      format: 'node-name',
    }),
    cmsd: Type.Boolean({
      description:
        'Whether players are told by CMSD-Dynamic (CTA-5006) how long an answer took for which the origin was asked, so that they leave it out of their measure, and whether this node is under duress. What an origin says in CMSD-Static is kept and handed on in any case.',
      default: true,
    }),
    listen: listenOptions,
    routes: Type.Array(routeOptions, {
      description:
        'The parts of the URL space and who answers for them. At least one, unless there is a demo.',
      default: [],
    }),
    memory: memoryOptions,
    disk: diskOptions,
    slices: sliceOptions,
    addresses: addressOptions,
    prefetch: prefetchOptions,
    cluster: Type.Optional(clusterOptions),
    upstream: upstreamOptions,
    http: httpOptions,
    cmcd: cmcdOptions,
    log: logOptions,
    ops: opsOptions,
    demo: Type.Optional(demoOptions),
  },
  {
    title: 'Relais',
    description: 'The configuration of a Relais node.',
    additionalProperties: false,
  },
)

/** Settled: every option has its value, sizes in bytes, durations in milliseconds. */
export interface Config {
  readonly node: string
  readonly listen: ListenOptions
  /** Never empty, except beside a demo whose port is 0: then `demoRoute` makes the one route once the port is known. */
  readonly routes: readonly RouteOptions[]
  readonly memory: MemoryOptions
  readonly disk: DiskOptions
  readonly slices: SliceOptions
  readonly addresses: AddressOptions
  readonly prefetch: PrefetchOptions
  /** Undefined: this node is alone. */
  readonly cluster: ClusterOptions | undefined
  readonly upstream: UpstreamOptions
  readonly http: HttpOptions
  readonly cmcd: CmcdOptions
  readonly cmsd: boolean
  readonly log: LogOptions
  readonly ops: OpsOptions
  /** Undefined: no demo. */
  readonly demo: DemoOptions | undefined
}

/** What is read of a schema here, and where it differs from JSON Schema by itself: the names that begin with x-. */
export interface SchemaNode {
  readonly type?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly minItems?: number
  /** A size or a duration, written as a number or as a string with a unit. */
  readonly 'x-unit'?: 'bytes' | 'ms'
  /** Where the default comes from, when it is no fixed value. */
  readonly 'x-default'?: string
  /** Never printed. */
  readonly 'x-secret'?: boolean
}

/** The same, to be walked. */
export const configNode = configSchema as SchemaNode

/** As editors are given it: what has a default may be left out. */
export function publishedSchema(node: SchemaNode = configNode): SchemaNode {
  const { properties, required, items, ...rest } = node
  const mayBeAbsent = (key: string): boolean =>
    properties?.[key]?.default !== undefined || properties?.[key]?.['x-default'] !== undefined
  const stillRequired = required?.filter((key) => !mayBeAbsent(key)) ?? []
  const children = Object.entries(properties ?? {}).map(
    ([key, child]) => [key, publishedSchema(child)] as const,
  )
  return {
    ...rest,
    ...(stillRequired.length === 0 ? {} : { required: stillRequired }),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(children) }),
    ...(items === undefined ? {} : { items: publishedSchema(items) }),
  }
}
