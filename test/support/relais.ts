/** A whole Relais for tests, in this process: real sockets, a clock that the test moves, no disk unless it asks for one. */
import type { TestContext } from 'node:test'
import { pino } from 'pino'
import { type Config, readConfig } from '../../src/config.ts'
import type { Stats } from '../../src/ops/stats.ts'
import { openRelais, type Relais, type Surroundings } from '../../src/server.ts'
import { type TestClock, testClock } from './clock.ts'

export interface TestRelais extends Relais {
  readonly clock: TestClock
  /** What it wrote to its log, as parsed lines. */
  readonly log: readonly Record<string, unknown>[]
  stats(): Promise<Stats>
}

export interface TestOptions {
  /** The origins of "/"; more is said with `file`. */
  readonly origins?: readonly string[]
  /** What stands in the configuration file. */
  readonly file?: Record<string, unknown>
  readonly clock?: TestClock
  /** As in Surroundings. */
  readonly pulse?: Surroundings['pulse']
  readonly utilization?: Surroundings['utilization']
}

/** Closed when the test ends, if the test has not done so. */
export async function openTestRelais(
  t: Pick<TestContext, 'after'>,
  options: TestOptions,
): Promise<TestRelais> {
  const clock = options.clock ?? testClock()
  const log: Record<string, unknown>[] = []
  const logger = pino({ level: 'info' }, { write: (line: string) => log.push(JSON.parse(line)) })
  const { pulse, utilization } = options
  const surroundings = { clock: clock.now, logger, version: '0.0.0-test', pulse, utilization }
  const relais = await openRelais(testConfig(options), surroundings)
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= relais.close()
    return closing
  }
  t.after(close)
  const { url, peerUrl, readStats } = relais
  return { url, peerUrl, readStats, stats: readStats, close, clock, log }
}

export function testConfig({ origins, file = {} }: TestOptions): Config {
  const written = {
    node: 'test',
    listen: { host: '127.0.0.1', port: 0 },
    disk: { path: 'none' },
    http: { drainTimeout: '1s' },
    // What is asked of an origin is counted in most tests, and what nobody asked for belongs to those that say so.
    prefetch: { segments: 0 },
    ...(origins === undefined ? {} : { routes: [{ prefix: '/', origins }] }),
    ...file,
  }
  const read = readConfig({
    argv: ['--config', 'test.json'],
    env: {},
    hostname: 'test',
    homeDirectory: '/nonexistent',
    readFile: () => JSON.stringify(written),
  })
  if (read.kind !== 'config') throw new Error(`not a configuration: ${JSON.stringify(read)}`)
  return read.config
}
