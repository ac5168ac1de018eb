/** One kilobyte of a cold film, then all of it: Relais beside the others. */
import { MIB } from '../../lib/film.ts'
import type { Stage } from '../../lib/stage.ts'
import { nginx, slicingNginx } from '../../peers/nginx.ts'
import { otherRelais, relais } from '../../peers/relais.ts'
import { trafficServer } from '../../peers/traffic-server.ts'
import { varnish } from '../../peers/varnish.ts'
import { filmPath, type Part, read, SLICE_BYTES } from './part.ts'

const FILM_BYTES = 8 * MIB
const OFFSETS: readonly (readonly [name: string, range: string])[] = [
  ['at 0', '0-1023'],
  ['at 1 MB', '1000000-1001023'],
  ['over an edge', `${2 * MIB - 512}-${2 * MIB + 511}`],
  ['at 5 MB', '5000000-5001023'],
  ['the last', '-1024'],
]

export async function shortRanges(stage: Stage, also: readonly string[]): Promise<Part> {
  const rows: (string | number)[][] = []
  const found = { first: 0, whole: 0 }
  const ours = [relais({ name: 'Relais' }), ...also.map(otherRelais)]
  for (const peer of [...ours, slicingNginx, trafficServer, varnish, nginx]) {
    const running = await stage.start(peer)
    const firsts: number[] = []
    const wholes: number[] = []
    for (const [index, [, range]] of OFFSETS.entries()) {
      const path = filmPath(FILM_BYTES, running, `short-${index}`)
      await read(stage, running, path, FILM_BYTES, [{ range }])
      firsts.push((await stage.filmAsked(path)).askedBytes)
      await read(stage, running, path, FILM_BYTES, [{}])
      wholes.push((await stage.filmAsked(path)).askedBytes)
    }
    rows.push([peer.name, ...firsts.map(kilobytes), kilobytes(Math.max(...wholes))])
    if (peer.name === 'Relais') Object.assign(found, { first: edgeless(firsts), whole: Math.max(...wholes) })
    await running.child.stop()
  }
  return {
    tables: [
      {
        title:
          'KB asked of the origin for 1 KB of a cold film of 8 MB, and with all of it afterwards (at most)',
        columns: ['', ...OFFSETS.map(([name]) => name), 'and then all'],
        rows,
      },
    ],
    bounds: [
      {
        law: 'asked of the origin for 1 KB within a slice of a cold film, at most',
        measured: found.first / SLICE_BYTES,
        most: 1,
        unit: 'slices',
      },
      {
        law: 'asked of the origin for that and the whole film afterwards, at most',
        measured: found.whole / FILM_BYTES,
        most: 1,
        unit: 'times its length',
      },
    ],
  }
}

/** The most of what one slice should do for: all but the range that lies in two of them, and the end, which is sought. */
function edgeless(bytes: readonly number[]): number {
  return Math.max(
    ...bytes.filter((_, index) => !['over an edge', 'the last'].includes(OFFSETS[index]?.[0] ?? '')),
  )
}

function kilobytes(bytes: number): number {
  return bytes / 1024
}
