/** A film much larger than memory and disk together streams through. */
import { residentBytes } from '../../lib/accounting.ts'
import { MIB } from '../../lib/film.ts'
import type { Stage } from '../../lib/stage.ts'
import type { Running } from '../../peers/peer.ts'
import { relais } from '../../peers/relais.ts'
import { filmPath, type Part, read } from './part.ts'

const FILM_BYTES = 4096 * MIB
/** What `--memory 256MB` promises: that, and what the process needs for itself. */
const MOST_RESIDENT_MB = 256 + 200

export async function streaming(stage: Stage): Promise<Part> {
  const running = await stage.start(relais({ name: 'Relais', memory: '256MB', hasDisk: true, disk: '1GB' }))
  const path = filmPath(FILM_BYTES, running, 'long')
  const origin: Pick<Running, 'port'> = { port: stage.originPort }
  const direct = await read(stage, origin, `${path}-direct`, FILM_BYTES, [{}])
  const { seconds } = await read(stage, running, path, FILM_BYTES, [{}])
  const { askedBytes, repeatedBytes } = await stage.filmAsked(path)
  const { peak } = residentBytes(running.child.pid)
  await running.child.stop()
  return {
    tables: [
      {
        title: 'A film of 4 GB streams through, memory 256 MB, disk 1 GB',
        columns: [
          'from the origin itself, s',
          'through Relais, s',
          'times',
          'asked, MB',
          'asked twice, MB',
          'resident at most, MB',
        ],
        rows: [
          [
            direct.seconds,
            seconds,
            seconds / direct.seconds,
            askedBytes / MIB,
            repeatedBytes / MIB,
            peak / MIB,
          ],
        ],
      },
    ],
    bounds: [
      { law: 'resident while 4 GB stream through', measured: peak / MIB, most: MOST_RESIDENT_MB, unit: 'MB' },
      { law: 'asked of the origin for 4 GB', measured: askedBytes / FILM_BYTES, most: 1, unit: 'times' },
    ],
  }
}
