/** What the neighbours can be told: how they know each other, where this node is reached, and who else there is. */
import { type Static, Type } from 'typebox'
import { Duration } from '../quantities.ts'

const MIN_SECRET = 32
const MAX_WEIGHT = 100
const PEER_PORT = 8090

const siblingOptions = Type.Object(
  {
    id: Type.String({
      description: 'Its name: what is `node` in its own configuration.',
      format: 'node-name',
    }),
    url: Type.String({
      description: 'Where its internal listener is reached.',
      format: 'public-url',
      examples: ['http://10.0.0.2:8090'],
    }),
    zone: Type.Union([Type.String({ format: 'node-name' }), Type.Null()], {
      description: 'Its zone, until it says so itself. null is the zone of this node.',
      default: null,
    }),
    weight: Type.Integer({
      description: 'Its share of the keys in proportion to the others, until it says so itself.',
      default: 1,
      minimum: 1,
      maximum: MAX_WEIGHT,
    }),
    publicUrl: Type.Union([Type.String({ format: 'public-url' }), Type.Null()], {
      description: 'Where viewers reach it, until it says so itself.',
      default: null,
    }),
  },
  { additionalProperties: false },
)

const dnsOptions = Type.Object(
  {
    name: Type.String({
      description:
        'The name whose records are the siblings, this node among them; a headless service of Kubernetes, for example.',
      minLength: 1,
    }),
    type: Type.Enum(['a', 'srv'], {
      description:
        'Its records: a asks for A and AAAA and takes the port from `cluster.dns.port`; srv has ports of its own.',
      default: 'a',
    }),
    port: Type.Integer({
      description: 'The port of the internal listeners, where records have none.',
      default: PEER_PORT,
      minimum: 1,
      maximum: 65535,
    }),
    every: Duration({
      description:
        'How often it is asked for. While it answers nothing, or an error, the siblings known last stay.',
      default: '10s',
      minimum: 1_000,
    }),
  },
  {
    description: 'Siblings by DNS, in place of `cluster.siblings`.',
    additionalProperties: false,
  },
)

const natsOptions = Type.Object(
  {
    servers: Type.Array(Type.String({ format: 'nats-url' }), {
      description:
        'The NATS servers, 2.9 or newer, with JetStream. tls:// asks for TLS. Siblings find each other there.',
      minItems: 1,
      examples: [['nats://10.0.0.9:4222']],
    }),
    user: Type.Union([Type.String({ minLength: 1 }), Type.Null()], {
      description: 'The user, where the servers ask for one.',
      default: null,
    }),
    password: Type.Union([Type.String({ minLength: 1 }), Type.Null()], {
      description: 'The password of that user; better set as RELAIS_NATS_PASSWORD than in a file.',
      default: null,
      'x-secret': true,
    }),
    token: Type.Union([Type.String({ minLength: 1 }), Type.Null()], {
      description:
        'The token, where the servers ask for one; better set as RELAIS_NATS_TOKEN than in a file.',
      default: null,
      'x-secret': true,
    }),
    replicas: Type.Integer({
      description:
        'How many servers keep the log of purges, if this node is the first and makes it: 1, or 3 of a NATS cluster.',
      default: 1,
      minimum: 1,
      maximum: 5,
    }),
    maxBlind: Duration({
      description:
        'After so long without a server everything stored is validated before it is used, for a purge may have been missed. 0 serves on as if there were none.',
      default: '60s',
    }),
  },
  {
    description: 'Siblings and purges by NATS, in place of `cluster.siblings`.',
    additionalProperties: false,
  },
)

export const clusterOptions = Type.Object(
  {
    name: Type.String({
      description: 'The name of the cluster: who has another one is no sibling.',
      default: 'relais',
      format: 'node-name',
    }),
    secret: Type.String({
      description:
        'What siblings know each other by: the same on all of them, at least 32 characters, such as `openssl rand -hex 32` makes. Better set as RELAIS_CLUSTER_SECRET than in a file.',
      minLength: MIN_SECRET,
      'x-secret': true,
    }),
    acceptedSecret: Type.Union([Type.String({ minLength: MIN_SECRET }), Type.Null()], {
      description:
        'A second secret that is accepted too. To change the secret without a stop, name the new one here on every node, then swap the two on every node, then leave this one out.',
      default: null,
      'x-secret': true,
    }),
    url: Type.Union([Type.String({ format: 'public-url' }), Type.Null()], {
      description:
        'Where siblings reach this node. null is the url of its own entry in `cluster.siblings`, or else `cluster.listen`.',
      default: null,
    }),
    publicUrl: Type.Union([Type.String({ format: 'public-url' }), Type.Null()], {
      description: 'Where viewers reach this node. null is that of its own entry in `cluster.siblings`.',
      default: null,
    }),
    zone: Type.Union([Type.String({ format: 'node-name' }), Type.Null()], {
      description:
        'Nodes of one zone fill for each other: name one for each place with fast lines inside. null is that of its own entry in `cluster.siblings`, or else `default`.',
      default: null,
    }),
    parentZone: Type.Union([Type.String({ format: 'node-name' }), Type.Null()], {
      description:
        'The zone that is asked in place of the origin, as long as somebody in it is there. null asks the origin.',
      default: null,
    }),
    weight: Type.Union([Type.Integer({ minimum: 1, maximum: MAX_WEIGHT }), Type.Null()], {
      description:
        'The share of the keys of this node in proportion to the others, 1 to 100. null is that of its own entry in `cluster.siblings`, or else 1.',
      default: null,
    }),
    capacity: Type.Integer({
      description:
        'What the line of this node to viewers carries, in megabits per second; part of how busy it says it is.',
      default: 10_000,
      minimum: 1,
    }),
    maxRequests: Type.Integer({
      description:
        'Requests of siblings at once; what comes beyond it is asked of the runner-up of this node.',
      default: 4096,
      minimum: 1,
    }),
    listen: Type.Object(
      {
        host: Type.String({
          description:
            'The address that siblings are served on. A private one: viewers have no business there.',
          minLength: 1,
          examples: ['10.0.0.1'],
        }),
        port: Type.Integer({
          description: 'The TCP port of it. 0 takes any free one.',
          default: PEER_PORT,
          minimum: 0,
          maximum: 65535,
        }),
      },
      { description: 'Where siblings are served.', additionalProperties: false },
    ),
    siblings: Type.Array(siblingOptions, {
      description:
        'The nodes of the cluster. The entry with the name of this node is allowed, so that one list serves all. Up to about eight, in one place; beyond that use `cluster.nats`.',
      default: [],
    }),
    dns: Type.Optional(dnsOptions),
    nats: Type.Optional(natsOptions),
  },
  {
    description:
      'When present, this node is one of several that fill each object once. One of siblings, dns and nats says who the others are.',
    additionalProperties: false,
  },
)

/** How siblings know each other and where they are; all times in milliseconds. */
export interface ClusterOptions extends Readonly<Static<typeof clusterOptions>> {}

export type SiblingOptions = Readonly<Static<typeof siblingOptions>>
export type DnsOptions = Readonly<Static<typeof dnsOptions>>
export type NatsOptions = Readonly<Static<typeof natsOptions>>
