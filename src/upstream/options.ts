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
    resumeTimeout: Duration({
      description:
        'How long a body that broke off may stand still until the rest of it comes, from the same or the next origin of the route; then its viewers are cut off. 0 never asks for the rest.',
      default: '15s',
    }),
    connections: Type.Integer({
      description:
        'Requests to one origin (a host and port) at once; further ones wait. Of four at least one is kept for what many viewers share. Methods other than GET and HEAD have as many of their own, and a queue of their own as long.',
      default: 128,
      minimum: 1,
    }),
    heldConnections: Type.Integer({
      description:
        'Requests at once that one origin may hold until there is something to say: blocking playlist reloads and hinted parts of low-latency HLS. They have connections of their own, one or two for each rendition that is being watched.',
      default: 512,
      minimum: 1,
    }),
    queue: Type.Integer({
      description:
        'Requests that may wait for one origin: so many that are shared, and so many that are for one viewer each. Beyond it the next origin of the route is asked.',
      default: 1024,
      minimum: 0,
    }),
    queueTimeout: Duration({
      description:
        'How long a request may wait for an origin that is busy; then the next origin of the route is asked.',
      default: '5s',
      minimum: 1,
    }),
  },
  { description: 'Origins.', default: {}, additionalProperties: false },
)

/** Origins; all times in milliseconds. */
export interface UpstreamOptions extends Readonly<Static<typeof upstreamOptions>> {}
