/** Faults: origins are cut a thousand times at random offsets under fifty viewers, and each body is compared. */
import { type CampaignFigures, runCampaign } from '../../test/support/fault-campaign.ts'
import type { Report } from '../lib/report.ts'

const CUTS = 1_000
const VIEWERS = 50
const MAX_BYTES = 512 * 1024

const PLAYS = [
  { name: 'one origin', seed: 1, origins: 1, lost: 0 },
  { name: 'two origins', seed: 2, origins: 2, lost: 0 },
  { name: 'one origin, a third of the things change', seed: 3, origins: 1, lost: 1 / 3 },
  { name: 'two origins, a third of the things change', seed: 4, origins: 2, lost: 1 / 3 },
] as const

export async function faults(): Promise<Report> {
  const found: (readonly [string, CampaignFigures])[] = []
  for (const { name, ...play } of PLAYS) {
    found.push([name, await played({ ...play, cuts: CUTS, viewers: VIEWERS, maxBytes: MAX_BYTES })])
  }
  const [, two] = found
  const brokenShare = two === undefined ? Number.NaN : two[1].broken / (two[1].things * VIEWERS)
  return {
    scenario: 'faults',
    how: `Each thing of at most ${MAX_BYTES} bytes is asked for by ${VIEWERS} viewers at once; its first answer and every other continuation is closed, reset or falls silent at a random place, until there were ${CUTS} cuts.`,
    tables: [
      {
        title: 'Bodies',
        columns: ['', 'things', 'cuts', 'whole', 'broken', 'wrong', 'asked for the rest', 'got it'],
        rows: found.map(([name, { things, cuts, whole, broken, wrong, resumptions }]) => [
          name,
          things,
          cuts,
          whole,
          broken,
          wrong,
          resumptions.tried,
          resumptions.succeeded,
        ]),
      },
    ],
    bounds: [
      {
        law: 'bodies that looked whole and were not',
        measured: found.reduce((sum, [, { wrong }]) => sum + wrong, 0),
        most: 0,
        unit: 'bodies',
      },
      {
        law: 'bodies that broke, with two origins',
        measured: brokenShare * 100,
        most: 0.1,
        unit: '%',
      },
    ],
  }
}

/** With everything that it opened closed again. */
async function played(options: Parameters<typeof runCampaign>[1]): Promise<CampaignFigures> {
  const closing: (() => unknown)[] = []
  const after = (close: unknown): void => {
    if (typeof close === 'function') closing.push(() => close())
  }
  try {
    return await runCampaign({ after }, options)
  } finally {
    for (const close of closing.toReversed()) await close()
  }
}
