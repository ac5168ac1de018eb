/** What the cellar can be told: how much memory and disk it may hold, and where. */
import { type Static, Type } from 'typebox'
import { Size } from '../quantities.ts'

export const memoryOptions = Type.Object(
  {
    maxBytes: Size({
      description:
        'Bytes of responses held in memory, a quarter of them (at most 64 MB) for what was evicted and is not yet collected. What connections still hold of evicted bodies is among them (docs/memory.md). The process needs about 200 MB more for itself.',
      default: '256MB',
    }),
    maxEntryBytes: Size({
      description: 'A response larger than this is not held in memory.',
      default: '32MB',
    }),
  },
  { description: 'Responses held in memory.', default: {}, additionalProperties: false },
)

export const diskOptions = Type.Object(
  {
    path: Type.Union([Type.String({ minLength: 1 }), Type.Null()], {
      description:
        'The directory that holds responses; created when absent. null or "none" turns the disk off.',
      'x-default': "the user's cache directory: $XDG_CACHE_HOME/relais, or ~/.cache/relais",
    }),
    maxBytes: Size({ description: 'Bytes of responses held on disk.', default: '2GB' }),
    maxEntryBytes: Size({ description: 'A response larger than this is not held on disk.', default: '1GB' }),
  },
  { description: 'Responses held on disk, across restarts.', default: {}, additionalProperties: false },
)

/** Responses held in memory, in bytes. */
export interface MemoryOptions extends Readonly<Static<typeof memoryOptions>> {}

/** Responses held on disk, in bytes; a path of null is no disk at all. */
export interface DiskOptions extends Readonly<Static<typeof diskOptions>> {}
