/** What the door can be told: where it listens and how patient it is with viewers. */
import { type Static, Type } from 'typebox'
import { Duration } from '../quantities.ts'

export const listenOptions = Type.Object(
  {
    host: Type.String({
      description:
        'The address to listen on. 0.0.0.0 is every IPv4 address of the machine, :: every address.',
      default: '0.0.0.0',
      minLength: 1,
    }),
    port: Type.Integer({
      description: 'The TCP port to listen on. 0 takes any free one.',
      default: 8080,
      minimum: 0,
      maximum: 65535,
    }),
  },
  { description: 'Where viewers are served.', default: {}, additionalProperties: false },
)

export const httpOptions = Type.Object(
  {
    maxConnections: Type.Integer({
      description: 'Connections of viewers held at once; further ones are closed as they come.',
      default: 20000,
      minimum: 1,
    }),
    headTimeout: Duration({
      description: 'How long a viewer may take to send a request head; then 408.',
      default: '10s',
      minimum: 1,
    }),
    keepAliveTimeout: Duration({
      description:
        'How long an idle connection is kept. Keep it above the longest pause of a player, which is about two segments.',
      default: '75s',
    }),
    stallTimeout: Duration({
      description: 'A viewer who takes no byte of a response for so long is let go.',
      default: '30s',
      minimum: 1,
    }),
    drainTimeout: Duration({
      description:
        'How long responses under way may still run when Relais is asked to stop; then they are cut.',
      default: '30s',
    }),
  },
  { description: 'Connections of viewers.', default: {}, additionalProperties: false },
)

export const cmcdOptions = Type.Object(
  {
    events: Type.Union([Type.String({ format: 'plain-path' }), Type.Null()], {
      description:
        'The path where players hand in their events (CMCD version 2, by POST), which anybody may. It is no part of any route. null takes none.',
      default: null,
      examples: ['/cmcd'],
    }),
  },
  { description: 'What players say of themselves (CTA-5004).', default: {}, additionalProperties: false },
)

/** What players say of themselves. */
export interface CmcdOptions extends Readonly<Static<typeof cmcdOptions>> {}

/** Where viewers are served. */
export interface ListenOptions extends Readonly<Static<typeof listenOptions>> {}

/** Connections of viewers; all times in milliseconds. */
export interface HttpOptions extends Readonly<Static<typeof httpOptions>> {}
