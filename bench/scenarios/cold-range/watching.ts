/** What players do to a cold film: the end first, where its index may be, then the beginning, then some megabytes here and there. */
import { coveredBytes, MIB, type Span, seeded } from '../../lib/film.ts'
import type { Read } from '../../lib/plans.ts'
import type { Bound } from '../../lib/report.ts'
import type { Stage } from '../../lib/stage.ts'
import { nginx, slicingNginx } from '../../peers/nginx.ts'
import type { Running } from '../../peers/peer.ts'
import { relais } from '../../peers/relais.ts'
import { filmPath, type Part, read, SLICE_BYTES } from './part.ts'

const FILM_BYTES = 1024 * MIB
const SEEKS = 8
const WATCHED_BYTES = 10_000_000
const SEED = 20_261_123

export async function watching(stage: Stage): Promise<Part> {
  const random = seeded(SEED)
  const seeks = Array.from({ length: SEEKS }, () => Math.floor(random() * (FILM_BYTES - WATCHED_BYTES)))
  const index: Span = { first: FILM_BYTES - 65_536, last: FILM_BYTES - 1 }
  const start: Span = { first: 0, last: 65_535 }
  const rows: (string | number)[][] = []
  const bounds: Bound[] = []
  const closed: Read[] = [{ range: '-65536' }, { range: '0-65535' }]
  const spans = [index, start]
  for (const seek of seeks) {
    for (let at = seek; at < seek + WATCHED_BYTES; at += MIB) {
      const span = { first: at, last: Math.min(at + MIB, seek + WATCHED_BYTES) - 1 }
      spans.push(span)
      closed.push({ range: `${span.first}-${span.last}` })
    }
  }
  for (const peer of [
    relais({ name: 'Relais', memory: '256MB', hasDisk: true, disk: '4GB' }),
    slicingNginx,
    nginx,
  ]) {
    const running = await stage.start(peer)
    const path = filmPath(FILM_BYTES, running, 'closed')
    await read(stage, running, path, FILM_BYTES, closed)
    const asked = await stage.filmAsked(path)
    rows.push(['parts of 1 MB', ...rowOf(peer.name, spans, asked)])
    if (peer.name === 'Relais') {
      bounds.push({
        law: 'asked of the origin for parts of 1 MB, beside the slices that a viewer came to',
        measured: asked.askedBytes / slicesOf(spans),
        most: 1,
        unit: 'times',
      })
    }
    if (peer.name === 'Relais') {
      const { row, bound } = await leaving(stage, running, seeks)
      rows.push(row)
      bounds.push(bound)
    }
    await running.child.stop()
  }
  return {
    tables: [
      {
        title: `A viewer of a cold film of 1 GB: its end, its beginning, ${SEEKS} seeks with 10 MB each`,
        columns: [
          '',
          '',
          'served, MB',
          'asked, MB',
          'asked / served',
          'written / served',
          'slices come to, MB',
          'asked twice, MB',
        ],
        rows,
      },
    ],
    bounds,
  }
}

/** The same with open ranges, as browsers ask: the viewer leaves when he has what he wants, and more is on its way to him then. */
async function leaving(
  stage: Stage,
  running: Running,
  seeks: readonly number[],
): Promise<{ row: (string | number)[]; bound: Bound }> {
  const path = filmPath(FILM_BYTES, running, 'open')
  const spans: Span[] = []
  for (const first of [0, ...seeks]) {
    const before = await sentBytes(running)
    await read(stage, running, path, FILM_BYTES, [{ range: `${first}-`, takeBytes: WATCHED_BYTES }])
    await stage.filmAsked(path)
    // What Relais has handed to the connection is served: the viewer's kernel has it, or had it.
    spans.push({ first, last: first + (await sentBytes(running)) - before - 1 })
  }
  const asked = await stage.filmAsked(path)
  return {
    row: ['open, and left', ...rowOf(running.name, spans, asked)],
    bound: {
      law: 'asked of the origin beyond the slices that a viewer came to, each time one leaves',
      measured: (asked.askedBytes - slicesOf(spans)) / SLICE_BYTES / spans.length,
      most: 1,
      unit: 'slices',
    },
  }
}

function rowOf(
  name: string,
  spans: readonly Span[],
  {
    askedBytes,
    writtenBytes,
    repeatedBytes,
  }: { askedBytes: number; writtenBytes: number; repeatedBytes: number },
): (string | number)[] {
  const served = coveredBytes(spans)
  const sizes = [askedBytes / served, writtenBytes / served, slicesOf(spans) / 1e6, repeatedBytes / 1e6]
  return [name, served / 1e6, askedBytes / 1e6, ...sizes]
}

/** The length of all slices that have a byte of these. */
function slicesOf(spans: readonly Span[]): number {
  const indices = new Set<number>()
  for (const { first, last } of spans) {
    for (let index = Math.floor(first / SLICE_BYTES); index <= Math.floor(last / SLICE_BYTES); index++)
      indices.add(index)
  }
  return indices.size * SLICE_BYTES
}

async function sentBytes({ port }: Running): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/stats`, { headers: { accept: 'application/json' } })
  const { bytes } = (await response.json()) as { bytes: { toViewers: number } } // as docs/stats.md says
  return bytes.toViewers
}
