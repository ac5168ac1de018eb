/** Durations as MPDs write them (ISO 8601, xs:duration). */

const DAY_MS = 86_400_000

/** How long each designator is; years and months as the calendar's mean, for no start is given to count from. */
const DATE_MS = [365.2425 * DAY_MS, 30.436875 * DAY_MS, 7 * DAY_MS, DAY_MS]
const TIME_MS = [3_600_000, 60_000, 1000]

const N = '([0-9]+(?:\\.[0-9]+)?)'
const FORM = new RegExp(`^P(?:${N}Y)?(?:${N}M)?(?:${N}W)?(?:${N}D)?(T(?:${N}H)?(?:${N}M)?(?:${N}S)?)?$`)

/** Milliseconds; undefined when it is none, or negative. */
export function parseIsoDuration(value: string): number | undefined {
  const match = value.length > 100 ? null : FORM.exec(value.trim())
  if (match === null) return undefined
  const [, years, months, weeks, days, time, hours, minutes, seconds] = match
  const counts = [years, months, weeks, days, hours, minutes, seconds]
  // P and T alone are none, and neither is a T without a time.
  if (time === 'T' || counts.every((count) => count === undefined)) return undefined
  const units = [...DATE_MS, ...TIME_MS]
  return Math.round(counts.reduce((sum, count, index) => sum + Number(count ?? 0) * (units[index] ?? 0), 0))
}
