/** Configurations as they are read from arguments, environment and file, without any of these. */
import assert from 'node:assert/strict'
import { type Config, type ConfigInput, describeProblem, readConfig } from '../../src/config.ts'

export interface Given {
  readonly argv?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The text of the file, or what becomes the text. */
  readonly file?: unknown
}

export function inputOf({ argv = [], env = {}, file }: Given): ConfigInput {
  return {
    argv: file === undefined ? argv : ['--config', 'relais.json', ...argv],
    env,
    hostname: 'edge-1.example',
    homeDirectory: '/home/relais',
    readFile: (path) => {
      assert.equal(path, 'relais.json')
      return typeof file === 'string' ? file : JSON.stringify(file)
    },
  }
}

export function configOf(given: Given): Config {
  const read = readConfig(inputOf(given))
  assert.equal(read.kind, 'config', JSON.stringify(read))
  return read.kind === 'config' ? read.config : assert.fail()
}

export function problemsOf(given: Given): string[] {
  const read = readConfig(inputOf(given))
  assert.equal(read.kind, 'problems', JSON.stringify(read))
  return read.kind === 'problems' ? read.problems.map(describeProblem) : assert.fail()
}

export const routed = (more: object): object => ({
  routes: [{ prefix: '/', origins: ['http://o'] }],
  ...more,
})
