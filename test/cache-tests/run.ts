/**
 * Runs a cache-tests suite by hand and prints its score and what does not pass: `node test/cache-tests/run.ts [--repository DIR] [ID]`.
 * With an id it prints what goes over the wire. DIR is a checkout of http-tests/cache-tests.
 */
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { openRelais } from '../../src/server.ts'
import { testConfig } from '../support/relais.ts'
import { asStandard, PACKAGE } from './route.ts'
import { type Kind, loadSuite } from './suite.ts'

const { values, positionals } = parseArgs({
  options: { repository: { type: 'string' } },
  allowPositionals: true,
})
const suite = await loadSuite(
  values.repository ?? PACKAGE,
  values.repository === undefined ? 'package' : 'repository',
)
const wanted = positionals.length === 0 ? undefined : positionals
for (const test of suite.tests) if (wanted?.includes(test.id) === true) test.dump = true
const origin = await suite.openOrigin()
const relais = await openRelais(testConfig(asStandard(origin.url)), {
  clock: Date.now,
  logger: pino({ level: 'silent' }),
  version: '0.0.0-test',
})
const results = await suite.run(relais.url, 100, wanted)
for (const kind of ['required', 'optimal', 'check'] satisfies Kind[]) {
  const ids = suite.tests
    .filter((test) => (test.kind ?? 'required') === kind && results[test.id] !== undefined)
    .map(({ id }) => id)
  const failed = ids.filter((id) => results[id] !== true)
  process.stdout.write(`\n${kind}: ${ids.length - failed.length} of ${ids.length}\n`)
  for (const id of failed) process.stdout.write(`  ${id}: ${String(results[id])}\n`)
}
await relais.close()
await origin.close()
