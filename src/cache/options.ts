/** What the judge can be told of each route: who answers for it, and what of a request counts. */
import { type Static, Type } from 'typebox'
import { Size } from '../quantities.ts'
import { WINDOW_BYTES } from '../store/growing-body.ts'

export const routeOptions = Type.Object(
  {
    prefix: Type.String({
      description:
        "The paths of this route: those that begin with it, in whole segments. It is replaced by the path of the origin's URL; of several that match, the longest is taken.",
      format: 'path-prefix',
      examples: ['/', '/live/'],
    }),
    origins: Type.Array(
      Type.String({
        description: 'An http or https URL without query, fragment and credentials.',
        format: 'origin-url',
        examples: ['http://origin-1:9000', 'https://origin.example/streams/'],
      }),
      {
        description: 'Who answers for it, in the order of preference: the next one is asked when one fails.',
        minItems: 1,
      },
    ),
    cookies: Type.Enum(['forward', 'drop', 'share'], {
      description:
        'forward sends Cookie and Set-Cookie on, and what came with them is stored only when the origin says that it is for all, without the cookie. drop removes both, so that an origin that sets cookies on segments can be cached. share stores responses with their cookies and hands them to every viewer, as RFC 9111 section 7.3 has it: only for origins whose cookies are the same for all.',
      default: 'forward',
    }),
    requestDirectives: Type.Enum(['ignore', 'honour'], {
      description:
        "Whether a viewer's Cache-Control and Pragma (no-cache, no-store, max-age) reach past the cache. only-if-cached is always honoured.",
      default: 'ignore',
    }),
    cors: Type.Enum(['origin', 'edge'], {
      description:
        'Who says which pages may read the answers (CORS). origin passes on what the origin says, and its Vary: Origin makes a variant of each page. edge answers preflights of GET and HEAD here and lets every page read what they are answered, without credentials; the origin does not learn which page asks. Other methods stay between the page and the origin. What was stored before keeps what it came with.',
      default: 'origin',
    }),
    resume: Type.Enum(['validated', 'same-length'], {
      description:
        'What must be the same for a body that broke off to be continued, from whichever origin. validated asks for a strong ETag or Last-Modified. same-length is content with equal length and Last-Modified, for origins whose ETags are weak or differ from each other: only where the same name never stands for two files of one length and second.',
      default: 'validated',
    }),
    ignoreQuery: Type.Array(Type.String({ minLength: 1 }), {
      description:
        'Query parameters that do not change the bytes, such as tokens and session ids: left out of the cache key, sent to the origin all the same. CMCD and _HLS_primary_id always are left out, and CMCD is not sent where it is asked on behalf of all.',
      default: [],
    }),
  },
  { description: 'A part of the URL space and its origins.', additionalProperties: false },
)

/** A route as settled: the prefix and the paths of the origins end in a slash, so that one replaces the other. */
export interface RouteOptions extends Readonly<Static<typeof routeOptions>> {}

export const sliceOptions = Type.Object(
  {
    bytes: Size({
      description:
        'Length of a slice. Large bodies are asked for, stored and evicted in slices, so that a short range of a cold film costs one slice.',
      default: '2MB',
      minimum: 64 * 1024,
      maximum: WINDOW_BYTES,
    }),
    above: Size({
      description:
        'A body larger than this is cut into slices when the origin answers ranges and gives a strong validator. One that a viewer asks a range of, and a whole film (.mp4 and its like), is asked for in slices from the start.',
      default: '8MB',
      minimum: 64 * 1024,
    }),
  },
  { description: 'Slices of large bodies.', default: {}, additionalProperties: false },
)

/** Slices of large bodies; sizes in bytes. */
export interface SliceOptions extends Readonly<Static<typeof sliceOptions>> {}

export const addressOptions = Type.Object(
  {
    publicUrl: Type.Union([Type.String({ format: 'public-url' }), Type.Null()], {
      description:
        'Scheme, host and port under which viewers reach Relais, for the few addresses in manifests that must be absolute (X-ASSET-URI). null: they are written without a host, which most players take.',
      default: null,
      examples: ['https://relais.example'],
    }),
    aliases: Type.Array(
      Type.Object(
        {
          url: Type.String({
            description: 'Addresses in manifests that begin with this are led to Relais.',
            format: 'origin-url',
            examples: ['https://cdn.example/streams/'],
          }),
          path: Type.String({
            description: 'What stands for it here: a path that a route answers for.',
            format: 'path-prefix',
            examples: ['/streams/'],
          }),
        },
        { additionalProperties: false },
      ),
      {
        description:
          'Other hosts that manifests name in place of an origin, such as a CDN. Nothing is ever asked of them. The addresses of origins need not be listed.',
        default: [],
      },
    ),
    attributes: Type.Array(
      Type.Object(
        {
          tag: Type.String({
            description: 'A tag of HLS playlists, without its #.',
            format: 'hls-tag',
            examples: ['EXT-X-VENDOR-AD'],
          }),
          attribute: Type.String({
            description: 'The attribute of it whose quoted value is an address.',
            format: 'hls-attribute',
            examples: ['URI'],
          }),
        },
        { additionalProperties: false },
      ),
      {
        description:
          'Where vendors write addresses in HLS playlists. Those of the HLS draft need not be listed, nor EXT-X-IMAGE-STREAM-INF, EXT-X-PREFETCH and EXT-X-TWITCH-PREFETCH.',
        default: [],
      },
    ),
  },
  { description: 'Addresses in manifests.', default: {}, additionalProperties: false },
)

/** Addresses in manifests. */
export interface AddressOptions extends Readonly<Static<typeof addressOptions>> {}
