/** Tries every property with values that no run has seen yet: node scripts/fuzz.ts [rounds] */
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const rounds = Number(process.argv[2] ?? 1)
if (!Number.isSafeInteger(rounds) || rounds < 1)
  throw new Error(`how many rounds? A whole number from 1 on was expected, and ${process.argv[2]} came`)
const files = globSync('test/**/*.test.ts', { cwd: root }).filter((file) =>
  /from '.*\/(properties|samples|range-fields|field-values)\.ts'/.test(
    readFileSync(`${root}${file}`, 'utf8'),
  ),
)
for (let round = 1; round <= rounds; round++) {
  const seed = String(randomInt(2 ** 31))
  process.stdout.write(`round ${round} of ${rounds}: PROPERTY_SEED=${seed}, ${files.length} files\n`)
  const args = ['--test', '--test-timeout=180000', '--test-reporter=dot', ...files]
  const env = { ...process.env, PROPERTY_SEED: seed }
  const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
  if (status !== 0) {
    process.stdout.write(`\nrepeat it with PROPERTY_SEED=${seed} and the name of the file\n`)
    process.exitCode = 1
    break
  }
  process.stdout.write('\n')
}
