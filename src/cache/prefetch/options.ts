/** What can be said of fetching ahead of the viewers. */
import { type Static, Type } from 'typebox'

export const prefetchOptions = Type.Object(
  {
    segments: Type.Integer({
      description:
        'How many segments are fetched ahead of a viewer, of the rendition that he plays. 0 fetches nothing ahead, at the live edge neither.',
      default: 2,
      minimum: 0,
      maximum: 10,
    }),
    share: Type.Integer({
      description:
        'Percent of `upstream.connections` that may be used for it, of each origin and at least one connection. Nothing is fetched ahead while viewers wait for the origin, or three quarters of the connections are in use.',
      default: 25,
      minimum: 1,
      maximum: 75,
    }),
  },
  { description: 'Fetching ahead of the viewers.', default: {}, additionalProperties: false },
)

/** Fetching ahead of the viewers; the share in percent. */
export interface PrefetchOptions extends Readonly<Static<typeof prefetchOptions>> {}
