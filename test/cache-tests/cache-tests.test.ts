/** Judged from outside: http-cache-tests through a whole Relais, and what is written of its results held to them. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { pino } from 'pino'
import { openRelais } from '../../src/server.ts'
import { testConfig } from '../support/relais.ts'
import { asStandard, PACKAGE } from './route.ts'
import { type Kind, loadSuite, type Outcome } from './suite.ts'

/** It waits three seconds between requests, in real time; each batch takes about nine. */
const AT_ONCE = 100

const suite = await loadSuite(PACKAGE, 'package')
let results: Readonly<Record<string, Outcome>> = {}

before(async () => {
  const origin = await suite.openOrigin()
  const relais = await openRelais(testConfig(asStandard(origin.url)), {
    clock: Date.now,
    logger: pino({ level: 'silent' }),
    version: '0.0.0-test',
  })
  results = await suite.run(relais.url, AT_ONCE)
  await relais.close()
  await origin.close()
})

function idsOf(...kinds: readonly Kind[]): string[] {
  return suite.tests.filter(({ kind = 'required' }) => kinds.includes(kind)).map(({ id }) => id)
}

function page(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8')
}

test('every test that is required or optimal passes, or is a known difference, and no known difference passes', () => {
  const known = JSON.parse(page('known-differences.json')) as Readonly<Record<string, string>>
  const failed = idsOf('required', 'optimal').filter((id) => results[id] !== true)
  const seen = failed.map((id) => `${id}: ${String(results[id])}`).join('\n')
  assert.deepEqual(failed.toSorted(), Object.keys(known).toSorted(), seen)
  for (const [id, reason] of Object.entries(known)) assert.match(reason, /\.$/, id)
})

test('every question of the suite is answered in docs/conformance.md as it is by Relais, with a reason', () => {
  const rows = page('../../docs/conformance.md').matchAll(/^\| `([^`]+)` \| (yes|no) \| (.+\.) \|$/gm)
  const written = [...rows].map(([, id, answer]) => `${id}: ${answer}`)
  const real = idsOf('check').map((id) => `${id}: ${results[id] === true ? 'yes' : 'no'}`)
  assert.deepEqual(written.toSorted(), real.toSorted())
})

test('the scores in docs/conformance.md are those of this run', () => {
  const score = (kind: Kind): string => {
    const ids = idsOf(kind)
    return `${ids.filter((id) => results[id] === true).length} of ${ids.length}`
  }
  const [, required, optimal] =
    /^\| the package[^|]*\| ([^|]+) \| ([^|]+) \|$/m.exec(page('../../docs/conformance.md')) ?? []
  assert.deepEqual([required, optimal], [score('required'), score('optimal')])
})
