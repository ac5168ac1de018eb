/** Makes one configuration of the command line, the environment and the file, or says everything that is wrong. */
import { join } from 'node:path'
import type { RouteOptions } from './cache/options.ts'
import { helpText, readArguments, readEnvironment } from './config/arguments.ts'
import { problemsOfCluster } from './config/cluster.ts'
import { parseJson } from './config/json.ts'
import type { Problem } from './config/problem.ts'
import { problemsOfAliases, problemsOfRoutes, settledAlias, settledRoute } from './config/routes.ts'
import { type Config, configNode, type DemoOptions } from './config/schema.ts'
import { type Setting, withSettings } from './config/settings.ts'
import { isObject, settle } from './config/settle.ts'

export { describeConfig } from './config/describe.ts'
export { describeProblem, type Problem } from './config/problem.ts'
export type { Config, DemoOptions } from './config/schema.ts'

export interface ConfigInput {
  /** The arguments after the program's name. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly hostname: string
  readonly homeDirectory: string
  /** Throws when there is no such file, or none that may be read. */
  readFile(path: string): string
}

export type ReadConfig =
  /** `check`: the configuration is to be printed, not run. */
  | { readonly kind: 'config'; readonly config: Config; readonly check: boolean }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  /** Never empty. */
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }

/** Flags beat the environment, and both beat the file. */
export function readConfig(input: ConfigInput): ReadConfig {
  const args = readArguments(input.argv)
  if (args.wants === 'help') return { kind: 'help', text: helpText() }
  if (args.wants === 'version') return { kind: 'version' }
  const environment = readEnvironment(input.env)
  const file = readConfigFile(args.configFile, input)
  const settings = [...environment.settings, ...args.settings]
  // A file that could not be read says nothing of what it lacks.
  const written =
    file.problems.length > 0 ? { problems: [], config: undefined } : settleAll(file.value, settings, input)
  const problems = [...args.problems, ...environment.problems, ...file.problems, ...written.problems]
  if (problems.length > 0 || written.config === undefined) return { kind: 'problems', problems }
  return { kind: 'config', config: written.config, check: args.wants === 'check' }
}

/** The one route of a configuration without routes: everything is the demo's. */
export function demoRoute(origin: string): RouteOptions {
  return settledRoute({
    prefix: '/',
    origins: [origin],
    cookies: 'forward',
    cors: 'origin',
    requestDirectives: 'ignore',
    resume: 'validated',
    ignoreQuery: [],
  })
}

function readConfigFile(
  path: string | undefined,
  input: ConfigInput,
): { value: unknown; problems: readonly Problem[] } {
  if (path === undefined) return { value: {}, problems: [] }
  let text: string
  try {
    text = input.readFile(path)
  } catch (error) {
    const came = error instanceof Error ? error.message : String(error)
    return { value: undefined, problems: [{ path: '--config', expected: 'a file that can be read', came }] }
  }
  return parseJson(text.replace(/^\ufeff/, ''), path)
}

function settleAll(
  file: unknown,
  settings: readonly Setting[],
  input: ConfigInput,
): { problems: readonly Problem[]; config: Config | undefined } {
  const written = withSettings(withMachineDefaults(file, input), settings)
  const isNamed =
    (isObject(file) && file.node !== undefined) || settings.some(({ path }) => path[0] === 'node')
  const problems: Problem[] = []
  const settled = settle(configNode, written, '', problems)
  if (isObject(settled))
    problems.push(
      ...problemsOfRoutes(settled.routes),
      ...problemsOfAliases(settled.addresses, settled.routes),
      ...problemsOfNoRoutes(settled),
      ...problemsOfCluster(settled.cluster, isNamed ? settled.node : undefined),
    )
  if (problems.length > 0)
    return { problems: problems.map((problem) => withSource(problem, settings)), config: undefined }
  // Without problems it is what the schema's static type says; this is the one place that takes the walk's word for it.
  return { problems, config: whole(settled as Config) }
}

/** What the machine decides lies under the file. */
function withMachineDefaults(file: unknown, { hostname, homeDirectory, env }: ConfigInput): unknown {
  if (!isObject(file)) return file
  // The XDG base directory specification: a path that is not absolute is to be ignored.
  const cacheHome =
    env.XDG_CACHE_HOME?.startsWith('/') === true ? env.XDG_CACHE_HOME : join(homeDirectory, '.cache')
  const path = join(cacheHome, 'relais')
  const { node = nameOf(hostname), disk = {} } = file
  return { ...file, node, disk: isObject(disk) ? { path, ...disk } : disk }
}

/** A host name as a node name, which is stricter. */
function nameOf(hostname: string): string {
  const name = hostname.replace(/[^A-Za-z0-9._-]/g, '-')
  return (/^[A-Za-z]/.test(name) ? name : `relais-${name}`).slice(0, 64)
}

function problemsOfNoRoutes({ routes, demo }: Readonly<Record<string, unknown>>): Problem[] {
  if (!Array.isArray(routes) || routes.length > 0 || demo !== undefined) return []
  return [{ path: 'routes', expected: 'at least one route, or --origin URL, or a demo', came: 'none' }]
}

/** A problem with what a flag or a variable set is named by that. */
function withSource(problem: Problem, settings: readonly Setting[]): Problem {
  const setting = settings.findLast(({ path }) => {
    const place = path.join('.')
    return problem.path === place || problem.path.startsWith(`${place}[`)
  })
  return setting === undefined ? problem : { ...problem, path: setting.from }
}

function whole(config: Config): Config {
  const { addresses, memory, disk, cluster, demo, routes } = config
  return {
    ...withoutSchema(config),
    routes: routes.length === 0 ? routesOfDemo(demo) : routes.map(settledRoute),
    addresses: { ...addresses, aliases: addresses.aliases.map(settledAlias) },
    memory: { ...memory, maxEntryBytes: Math.min(memory.maxEntryBytes, memory.maxBytes) },
    disk: {
      ...disk,
      path: disk.path === 'none' ? null : disk.path,
      maxEntryBytes: Math.min(disk.maxEntryBytes, disk.maxBytes),
    },
    cluster,
    demo,
  }
}

function withoutSchema(config: Config & { readonly $schema?: string }): Config {
  const { $schema: _, ...rest } = config
  return rest
}

function routesOfDemo(demo: DemoOptions | undefined): readonly RouteOptions[] {
  if (demo === undefined || demo.port === 0) return []
  const host = demo.host.includes(':') ? `[${demo.host}]` : demo.host
  return [demoRoute(`http://${host}:${demo.port}`)]
}
