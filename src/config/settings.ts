/** What flags and environment variables set: one table of names, and what each of them means to the file. */
import { isObject } from './settle.ts'

/** One option, set from outside the file. */
export interface Setting {
  /** Where the value stands in the file. */
  readonly path: readonly string[]
  readonly value: unknown
  /** `--port` or `RELAIS_PORT`, for problems. */
  readonly from: string
}

interface Settable {
  readonly path: readonly string[]
  readonly flag?: string
  readonly variable?: string
  /** How the value is written, for --help. */
  readonly form: string
  readonly help: string
  /** What the written strings mean; as they are when absent. A flag may be given more than once. */
  readonly meaning?: (written: readonly string[]) => unknown
}

export const SETTABLE: readonly Settable[] = [
  {
    path: ['routes'],
    flag: 'origin',
    variable: 'RELAIS_ORIGIN',
    form: 'URL',
    help: 'the origin of "/", in place of all routes; again, or after a space, for another to turn to',
    meaning: (written) => [
      { prefix: '/', origins: written.flatMap((urls) => urls.split(/\s+/)).filter(Boolean) },
    ],
  },
  {
    path: ['listen', 'host'],
    flag: 'host',
    variable: 'RELAIS_HOST',
    form: 'ADDRESS',
    help: 'the address to listen on',
  },
  {
    path: ['listen', 'port'],
    flag: 'port',
    variable: 'RELAIS_PORT',
    form: 'N',
    help: 'the port to listen on',
    meaning: (written) => wholeNumber(written.at(-1) ?? ''),
  },
  {
    path: ['memory', 'maxBytes'],
    flag: 'memory',
    variable: 'RELAIS_MEMORY',
    form: 'SIZE',
    help: 'how much to hold in memory, such as 512MB',
  },
  {
    path: ['disk', 'path'],
    flag: 'disk',
    variable: 'RELAIS_DISK',
    form: 'DIRECTORY',
    help: 'where to hold responses on disk, or none',
  },
  {
    path: ['disk', 'maxBytes'],
    flag: 'disk-size',
    variable: 'RELAIS_DISK_SIZE',
    form: 'SIZE',
    help: 'how much to hold on disk, such as 20GB',
  },
  { path: ['node'], variable: 'RELAIS_NODE', form: 'NAME', help: 'the name of this node' },
  {
    path: ['log', 'level'],
    variable: 'RELAIS_LOG_LEVEL',
    form: 'LEVEL',
    help: 'the least important line logged',
  },
  {
    path: ['ops', 'token'],
    variable: 'RELAIS_OPS_TOKEN',
    form: 'TOKEN',
    help: 'the bearer token of /stats and /-/',
  },
  {
    path: ['cluster', 'secret'],
    variable: 'RELAIS_CLUSTER_SECRET',
    form: 'SECRET',
    help: 'what siblings know each other by',
  },
  {
    path: ['cluster', 'url'],
    variable: 'RELAIS_CLUSTER_URL',
    form: 'URL',
    help: 'where siblings reach this node',
  },
  {
    path: ['cluster', 'nats', 'password'],
    variable: 'RELAIS_NATS_PASSWORD',
    form: 'PASSWORD',
    help: 'the password of cluster.nats.user',
  },
  {
    path: ['cluster', 'nats', 'token'],
    variable: 'RELAIS_NATS_TOKEN',
    form: 'TOKEN',
    help: 'the token of the NATS servers',
  },
]

export function settingOf(settable: Settable, written: readonly string[], from: string): Setting {
  const value = settable.meaning === undefined ? written.at(-1) : settable.meaning(written)
  return { path: settable.path, value, from }
}

/** The file with the settings over it, a later one over an earlier one. Neither is changed. */
export function withSettings(file: unknown, settings: readonly Setting[]): unknown {
  return settings.reduce((value, setting) => put(value, setting.path, setting.value), file)
}

/** A parent that is no object stays, to be named as the problem it is. */
function put(parent: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...below] = path
  if (key === undefined) return value
  if (parent !== undefined && !isObject(parent)) return parent
  return { ...parent, [key]: put(parent?.[key], below, value) }
}

/** As it is when it is none, for the schema to say what was expected. */
function wholeNumber(written: string): number | string {
  return /^[0-9]+$/.test(written) ? Number(written) : written
}
