/** Reads the command line and the environment. */
import { parseArgs } from 'node:util'
import { nearest } from './nearest.ts'
import { type Problem, shown } from './problem.ts'
import { SETTABLE, type Setting, settingOf } from './settings.ts'

export interface Arguments {
  readonly wants: 'run' | 'check' | 'help' | 'version'
  /** Undefined: none was named. */
  readonly configFile: string | undefined
  readonly settings: readonly Setting[]
  readonly problems: readonly Problem[]
}

const SWITCHES = ['check', 'help', 'version'] as const
const VALUES = ['config', ...SETTABLE.flatMap(({ flag }) => flag ?? [])]
const PREFIX = 'RELAIS_'

/** The arguments after the program's name. Every problem is named, not the first alone. */
export function readArguments(argv: readonly string[]): Arguments {
  const problems: Problem[] = []
  const given = new Map<string, string[]>()
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries([
      ...SWITCHES.map((name) => [name, { type: 'boolean' }] as const),
      ...VALUES.map((name) => [name, { type: 'string', multiple: true }] as const),
    ]),
    // Strict, it would throw at the first problem.
    strict: false,
    tokens: true,
  })
  let isAfterUnknown = false
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      // What follows an unknown option is taken for its value, and is no second problem.
      if (!isAfterUnknown) {
        problems.push({ path: 'arguments', expected: 'options that begin with --', came: shown(token.value) })
      }
      isAfterUnknown = false
      continue
    }
    const { name, rawName, value } = token
    const isSwitch = SWITCHES.some((known) => known === name)
    // A value that looks like an option is a forgotten value: --memory --check.
    const isForgotten = value === undefined || value === '' || (!token.inlineValue && value.startsWith('--'))
    isAfterUnknown = !isSwitch && !VALUES.includes(name)
    if (isAfterUnknown) problems.push(unknownFlag(rawName))
    else if (isSwitch && value !== undefined)
      problems.push({ path: rawName, expected: 'no value', came: shown(value) })
    else if (!isSwitch && isForgotten)
      problems.push({ path: rawName, expected: 'a value', came: shown(value) })
    else given.set(name, [...(given.get(name) ?? []), ...(value === undefined ? [] : [value])])
  }
  const settings = SETTABLE.flatMap((settable) => {
    const written = settable.flag === undefined ? undefined : given.get(settable.flag)
    return written === undefined ? [] : [settingOf(settable, written, `--${settable.flag}`)]
  })
  const wants = (['help', 'version', 'check'] as const).find((name) => given.has(name)) ?? 'run'
  return { wants, configFile: given.get('config')?.at(-1), settings, problems }
}

/** A variable that is set to nothing is not set: that is how compose files and unit files leave one out. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): {
  readonly settings: readonly Setting[]
  readonly problems: readonly Problem[]
} {
  const given = Object.entries(env).filter(
    ([name, value]) => name.startsWith(PREFIX) && value !== undefined && value !== '',
  )
  const known = SETTABLE.flatMap(({ variable }) => variable ?? [])
  const problems = given
    .filter(([name]) => !known.includes(name))
    .map(([name]) => {
      const guess = nearest(
        name.slice(PREFIX.length),
        known.map((other) => other.slice(PREFIX.length)),
      )
      const expected =
        guess === undefined ? `one of ${known.join(', ')}` : `a known variable, perhaps ${PREFIX}${guess}`
      // Its value may be a secret under a misspelt name.
      return { path: name, expected, came: 'an unknown one' }
    })
  const settings = SETTABLE.flatMap((settable) => {
    const [, value] = given.find(([name]) => name === settable.variable) ?? []
    return value === undefined ? [] : [settingOf(settable, [value], `${settable.variable}`)]
  })
  return { settings, problems }
}

function unknownFlag(rawName: string): Problem {
  const guess = nearest(rawName.replace(/^-+/, ''), [...SWITCHES, ...VALUES])
  const expected = guess === undefined ? 'one of the options of --help' : `a known option, perhaps --${guess}`
  return { path: rawName, expected, came: 'an unknown one' }
}

/** What --help prints. */
export function helpText(): string {
  const flags: readonly (readonly [string, string])[] = [
    ['--config FILE', 'the configuration file'],
    ...SETTABLE.flatMap(({ flag, form, help }) =>
      flag === undefined ? [] : [[`--${flag} ${form}`, help] as const],
    ),
    ['--check', 'print the effective configuration and stop'],
    ['--help', 'print this and stop'],
    ['--version', 'print the version and stop'],
  ]
  const variables = SETTABLE.flatMap(({ variable, flag, form, help }) =>
    variable === undefined
      ? []
      : [[`${variable}=${form}`, flag === undefined ? help : `as --${flag}`] as const],
  )
  const table = (rows: readonly (readonly [string, string])[]): string =>
    rows.map(([left, right]) => `  ${left.padEnd(26)}${right}`).join('\n')
  return `relais: a caching relay for HLS and DASH

  relais --origin http://origin.example
  relais --config proxy.config.json

${table(flags)}

Options beat the environment, and both beat the file:

${table(variables)}
`
}
