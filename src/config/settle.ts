/** Makes whole options of what was written: defaults filled in, units settled, and every problem named. */
import {
  EXPECTED_DURATION,
  EXPECTED_SIZE,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
} from '../quantities.ts'
import { FORMATS } from './formats.ts'
import { nearest } from './nearest.ts'
import { hidden, type Problem, shown } from './problem.ts'
import type { SchemaNode } from './schema.ts'

/**
 * The settled value, which is what the schema's static type says if no problem was added. With problems it is only
 * good for finding more of them: what is wrong stays as it was written.
 */
export function settle(node: SchemaNode, written: unknown, path: string, problems: Problem[]): unknown {
  const value = written === undefined ? node.default : written
  const refuse = (): unknown => {
    const came = node['x-secret'] === true ? hidden(value) : shown(value)
    problems.push({ path: path || 'the configuration', expected: expectedOf(node), came })
    return value
  }
  if (node['x-unit'] !== undefined) return quantityOf(node, value) ?? refuse()
  if (node.type === 'object') return isObject(value) ? settleObject(node, value, path, problems) : refuse()
  if (node.type === 'array') {
    if (!Array.isArray(value) || value.length < (node.minItems ?? 0)) return refuse()
    return value.map((entry, index) => settle(node.items ?? {}, entry, `${path}[${index}]`, problems))
  }
  return matches(node, value) ? value : refuse()
}

function settleObject(
  node: SchemaNode,
  value: Readonly<Record<string, unknown>>,
  path: string,
  problems: Problem[],
): unknown {
  const { properties = {}, required = [] } = node
  const known = Object.keys(properties)
  const below = (key: string): string => (path === '' ? key : `${path}.${key}`)
  for (const key of Object.keys(value).filter((name) => !known.includes(name))) {
    const guess = nearest(key, known)
    const expected =
      guess === undefined ? `one of the keys ${known.join(', ')}` : `a known key, perhaps ${shown(guess)}`
    problems.push({ path: below(key), expected, came: `the unknown key ${shown(key)}` })
  }
  const settled = Object.entries(properties)
    .filter(([key]) => value[key] !== undefined || required.includes(key))
    .map(([key, child]) => [key, settle(child, value[key], below(key), problems)] as const)
  return Object.fromEntries(settled)
}

/** Undefined: no quantity, or one out of bounds. */
function quantityOf(node: SchemaNode, value: unknown): number | undefined {
  const number = node['x-unit'] === 'bytes' ? parseSize(value) : parseDuration(value)
  return number !== undefined && isWithin(node.anyOf?.[0] ?? {}, number) ? number : undefined
}

/** For what has no parts. */
function matches(node: SchemaNode, value: unknown): boolean {
  if (node.anyOf !== undefined) return node.anyOf.some((alternative) => matches(alternative, value))
  if (node.enum !== undefined) return node.enum.includes(value)
  switch (node.type) {
    case 'string':
      return (
        typeof value === 'string' &&
        value.length >= (node.minLength ?? 0) &&
        (node.format === undefined || FORMATS[node.format]?.matches(value) === true)
      )
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value) && isWithin(node, value)
    case 'boolean':
      return typeof value === 'boolean'
    case 'null':
      return value === null
    default:
      throw new Error(
        `A schema here has objects, lists, strings, integers, booleans and null; this has ${node.type}.`,
      )
  }
}

function isWithin({ minimum, maximum }: SchemaNode, value: number): boolean {
  return value >= (minimum ?? value) && value <= (maximum ?? value)
}

function expectedOf(node: SchemaNode): string {
  switch (node['x-unit']) {
    case 'bytes':
      return `${EXPECTED_SIZE}${boundsOf(node.anyOf?.[0] ?? {}, formatSize)}`
    case 'ms':
      return `${EXPECTED_DURATION}${boundsOf(node.anyOf?.[0] ?? {}, formatDuration)}`
    case undefined:
      break
  }
  if (node.anyOf !== undefined) return node.anyOf.map(expectedOf).join(' or ')
  if (node.enum !== undefined) return `one of ${node.enum.map(shown).join(', ')}`
  switch (node.type) {
    case 'object':
      return 'an object'
    case 'array':
      return node.minItems === undefined ? 'a list' : `a list with at least ${node.minItems} entry`
    case 'string':
      if (node.format !== undefined) return FORMATS[node.format]?.expected ?? node.format
      return (node.minLength ?? 0) > 1
        ? `a string of at least ${node.minLength} characters`
        : 'a string that is not empty'
    case 'integer':
      return `a whole number${boundsOf(node, String)}`
    case 'boolean':
      return 'true or false'
    default:
      return node.type ?? 'something'
  }
}

function boundsOf({ minimum, maximum }: SchemaNode, format: (value: number) => string): string {
  if (maximum !== undefined) return ` from ${format(minimum ?? 0)} to ${format(maximum)}`
  return minimum === undefined || minimum === 0 ? '' : `, at least ${format(minimum)}`
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
