/** What the road can be told: how patient Relais is with origins, and how many connections one of them gets. */
import { type Static, Type } from 'typebox'
import { Duration } from '../quantities.ts'

export const upstreamOptions = Type.Object(
  {
    connectTimeout: Duration({
      description: 'How long a connection to an origin may take; then the next origin of the route is asked.',
      default: '2s',
      minimum: 1,
    }),
    headTimeout: Duration({
      description: 'How long an origin may take to begin its response.',
      default: '15s',
      minimum: 1,
    }),
    idleTimeout: Duration({
      description: 'How long an origin may fall silent in the middle of a body.',
      default: '10s',
      minimum: 1,
    }),
    penalty: Duration({
      description: 'How long an origin that failed is asked last. 0 never penalises.',
      default: '10s',
    }),
    connections: Type.Integer({
      description: 'Connections to one origin at once; further requests wait for one of them.',
      default: 128,
      minimum: 1,
    }),
  },
  { description: 'Origins.', default: {}, additionalProperties: false },
)

/** Origins; all times in milliseconds. */
export interface UpstreamOptions extends Readonly<Static<typeof upstreamOptions>> {}
