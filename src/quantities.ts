/** Sizes and durations as people write them: what "512MB" and "20s" mean, and the schemas of options that take them. */
import { Type } from 'typebox'

/** Powers of 1024, written KB or KiB alike: a cache is sized against memory and disk, as nginx and Varnish do. */
const BYTES_OF: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

const MS_OF: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A timer that is set for longer than 2^31-1 ms fires at once. */
const MAX_TIMER_MS = 24 * 86_400_000

/** Without flags, for a JSON schema has none. */
const SIZE_PATTERN = '^([0-9]+(?:\\.[0-9]+)?) ?(?:([kKmMgGtT])(?:[iI]?[bB])?|[bB])?$'
const DURATION_PATTERN = '^([0-9]+(?:\\.[0-9]+)?) ?(ms|s|m|h|d)$'

export const EXPECTED_SIZE = 'a size: a number of bytes, or a string such as "512MB", "20GB", "64KiB"'
export const EXPECTED_DURATION =
  'a duration: a number of milliseconds, or a string such as "500ms", "20s", "2m", "1h"'

/** Bytes; undefined when it is no size. A unit is a power of 1024 (1MB = 1MiB = 1048576), none at all means bytes. */
export function parseSize(value: unknown): number | undefined {
  if (typeof value !== 'string') return wholeNumber(value)
  const [whole, digits, prefix = ''] = new RegExp(SIZE_PATTERN).exec(value) ?? []
  if (whole === undefined) return undefined
  return wholeNumber(Math.round(Number(digits) * (BYTES_OF[prefix.toLowerCase()] ?? Number.NaN)))
}

/** Milliseconds; undefined when it is no duration. A string without a unit is none: "20" could mean either. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value !== 'string') return wholeNumber(value)
  const [whole, digits, unit = ''] = new RegExp(DURATION_PATTERN).exec(value) ?? []
  if (whole === undefined) return undefined
  return wholeNumber(Math.round(Number(digits) * (MS_OF[unit] ?? Number.NaN)))
}

function wholeNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

/** How a size is written for people: the largest unit, two decimals where it is not whole. */
export function formatSize(bytes: number): string {
  const unit = ['TB', 'GB', 'MB', 'KB'].find((name) => bytes >= (BYTES_OF[name.charAt(0).toLowerCase()] ?? 0))
  if (unit === undefined) return `${bytes}B`
  const count = bytes / (BYTES_OF[unit.charAt(0).toLowerCase()] ?? 1)
  return `${Number.isInteger(count) ? count : count.toFixed(2)}${unit}`
}

/** How a duration is written for people. */
export function formatDuration(ms: number): string {
  const unit = (['d', 'h', 'm', 's'] as const).find((name) => ms > 0 && ms % (MS_OF[name] ?? 1) === 0)
  return unit === undefined ? `${ms}ms` : `${ms / (MS_OF[unit] ?? 1)}${unit}`
}

interface QuantityOptions {
  readonly description: string
  readonly default: string | number
  /** In bytes or milliseconds; 0 when absent. */
  readonly minimum?: number
  /** In bytes or milliseconds; unbounded when absent. */
  readonly maximum?: number
}

/** The schema of an option in bytes. Its static type is the settled one: a number, whatever the file says. */
export function Size(options: QuantityOptions) {
  return quantity('bytes', SIZE_PATTERN, ['64KB', '512MB', '20GB'], options)
}

/** The schema of an option in milliseconds. Its static type is the settled one: a number, whatever the file says. */
export function Duration(options: QuantityOptions) {
  return quantity('ms', DURATION_PATTERN, ['500ms', '20s', '2m'], { maximum: MAX_TIMER_MS, ...options })
}

function quantity(
  unit: 'bytes' | 'ms',
  pattern: string,
  examples: readonly string[],
  options: QuantityOptions,
) {
  const { minimum = 0, maximum } = options
  return Type.Unsafe<number>({
    description: options.description,
    default: options.default,
    examples,
    'x-unit': unit,
    anyOf: [
      { type: 'integer', minimum, ...(maximum === undefined ? {} : { maximum }) },
      { type: 'string', pattern },
    ],
  })
}
