/** Switches Relais on and off: arguments, environment, the clock and signals come in here and nowhere else. */
import { readFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import { destination, pino } from 'pino'
import { type Config, demoRoute, describeConfig, describeProblem, readConfig } from './config.ts'
import { startDemo } from './demo/demo-origin.ts'
import { DEMO_STREAMS } from './demo/streams.ts'
import { openRelais } from './server.ts'

/** How much longer than the drain timeout everything may take before the process ends itself. */
const LAST_GRACE_MS = 5_000
/** Whoever stops this node has just stopped sending viewers here: those on their way are still let in. */
const LAST_CALL_MS = 250

const read = readConfig({
  argv: process.argv.slice(2),
  env: process.env,
  hostname: hostname(),
  homeDirectory: homedir(),
  readFile: (path) => readFileSync(path, 'utf8'),
})

switch (read.kind) {
  case 'help':
    process.stdout.write(read.text)
    break
  case 'version':
    process.stdout.write(`${version()}\n`)
    break
  case 'problems':
    for (const problem of read.problems) say(describeProblem(problem))
    process.exitCode = 2
    break
  case 'config':
    if (read.check) process.stdout.write(describeConfig(read.config))
    else await run(read.config).catch(giveUp)
}

async function run(config: Config): Promise<void> {
  const output = destination({ sync: false })
  const logger = pino({ level: config.log.level, base: { node: config.node } }, output)
  const clock = Date.now
  const demo = config.demo === undefined ? undefined : await startDemo({ ...config.demo, now: clock })
  // A demo on a port of the system's choosing has an address only now.
  const routes = config.routes.length > 0 || demo === undefined ? config.routes : [demoRoute(demo.url)]
  const relais = await openRelais({ ...config, routes }, { clock, logger, version: version() })
  const delay = LAST_CALL_MS + config.http.drainTimeout + LAST_GRACE_MS
  closeWithGrace({ delay, logger }, async ({ err, signal }) => {
    if (err === undefined) logger.info({ signal }, 'stopping')
    else logger.fatal({ err }, 'stopping after an error that nobody caught')
    if (err === undefined) await pause(LAST_CALL_MS)
    await relais.close()
    await demo?.close()
    output.flushSync()
  })
  logger.info({ url: relais.url, routes }, 'serving')
  say(`serving on ${relais.url}`)
  if (demo === undefined) return
  say(
    `the demo origin is at ${demo.url}; open ${relais.url}/ to watch it through Relais, or point a player at:`,
  )
  for (const { path, title } of DEMO_STREAMS) say(`  ${relais.url}${path}  ${title}`)
  say(`what it does is told at ${relais.url}/stats`)
}

/** For people; the log is for programs, and goes to standard output. */
function say(line: string): void {
  process.stderr.write(`relais: ${line}\n`)
}

function giveUp(error: unknown): void {
  say(error instanceof Error ? error.message : String(error))
  process.exit(1)
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return (manifest as { version: string }).version
}
