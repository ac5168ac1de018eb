/** Prints a configuration as a file that means the same, without its secrets. */
import { formatDuration, formatSize, parseSize } from '../quantities.ts'
import { type Config, configNode, type SchemaNode } from './schema.ts'
import { isObject } from './settle.ts'

/** JSON with every option in it, defaults among them; what is secret reads "(hidden)". */
export function describeConfig(config: Config): string {
  return `${JSON.stringify(written(configNode, config), null, 2)}\n`
}

function written(node: SchemaNode, value: unknown): unknown {
  if (node['x-secret'] === true && value !== null) return '(hidden)'
  if (typeof value === 'number') return quantity(node, value)
  if (Array.isArray(value)) return value.map((entry) => written(node.items ?? {}, entry))
  if (!isObject(value)) return value
  const keys = Object.entries(node.properties ?? {}).filter(([key]) => value[key] !== undefined)
  return Object.fromEntries(keys.map(([key, child]) => [key, written(child, value[key])]))
}

function quantity(node: SchemaNode, value: number): string | number {
  if (node['x-unit'] === undefined) return value
  if (node['x-unit'] === 'ms') return formatDuration(value)
  const text = formatSize(value)
  // Rounded, it would mean another size.
  return parseSize(text) === value ? text : value
}
