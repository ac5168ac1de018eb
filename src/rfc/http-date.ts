/** Dates as HTTP writes them (RFC 9110 section 5.6.7), read strictly and written in the one form that is left. */
import type { Instant } from './heads.ts'

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MONTH = `(${MONTHS.join('|')})`
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)'
const SHORT_DAY = '(?:mon|tue|wed|thu|fri|sat|sun)'
const LONG_DAY = '(?:mon|tues|wednes|thurs|fri|satur|sun)day'

// Every part has a fixed width, so none of the three can backtrack.
const IMF_FIXDATE = new RegExp(`^${SHORT_DAY}, (\\d\\d) ${MONTH} (\\d{4}) ${TIME} GMT$`, 'i')
const RFC850_DATE = new RegExp(`^${LONG_DAY}, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} GMT$`, 'i')
const ASCTIME_DATE = new RegExp(`^${SHORT_DAY} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i')

/** The longest valid date: `Wednesday, 09-Nov-94 08:49:37 GMT`. */
const MAX_LENGTH = 33

/** The Gregorian calendar repeats after 400 years. */
const FOUR_CENTURIES_MS = 146_097 * 86_400_000

const YEAR_0000: Instant = -62_167_219_200_000
const YEAR_9999_END: Instant = 253_402_300_799_999

/**
 * The instant of an HTTP-date in any of its three forms, or undefined when the text is none. Names of days, months
 * and GMT may be in any case (RFC 9111 section 4.2); all else is strict. The name of the day is not compared with
 * the date. `now` decides the century of a two-digit year.
 */
export function parseHttpDate(text: string, now: Instant): Instant | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const imf = IMF_FIXDATE.exec(text)
  if (imf !== null) return instantOf(Number(imf[3]), imf[2], imf[1], imf[4], imf[5], imf[6])
  const asctime = ASCTIME_DATE.exec(text)
  if (asctime !== null) {
    return instantOf(Number(asctime[6]), asctime[1], asctime[2], asctime[3], asctime[4], asctime[5])
  }
  const rfc850 = RFC850_DATE.exec(text)
  if (rfc850 === null) return undefined
  return nearestCentury(Number(rfc850[3]), now, (year) =>
    instantOf(year, rfc850[2], rfc850[1], rfc850[4], rfc850[5], rfc850[6]),
  )
}

/** The date as an IMF-fixdate, its milliseconds cut off. Instants beyond the years 0000 to 9999 become the nearest. */
export function formatHttpDate(at: Instant): string {
  return new Date(Math.min(Math.max(at, YEAR_0000), YEAR_9999_END)).toUTCString()
}

/** RFC 9110 section 5.6.7: more than 50 years ahead means the most recent past year with the same two digits. */
function nearestCentury(
  twoDigits: number,
  now: Instant,
  instantIn: (year: number) => Instant | undefined,
): Instant | undefined {
  const thisYear = new Date(now).getUTCFullYear()
  if (!Number.isFinite(thisYear)) return undefined
  const year = thisYear - (((thisYear % 100) + 100) % 100) + twoDigits
  const horizon = new Date(now).setUTCFullYear(thisYear + 50)
  for (const candidate of [year + 100, year, year - 100]) {
    const at = instantIn(candidate)
    if (at !== undefined && at <= horizon) return at
  }
  return undefined
}

function instantOf(
  year: number,
  monthName = '',
  dayText = '',
  hourText = '',
  minuteText = '',
  secondText = '',
): Instant | undefined {
  const month = MONTHS.indexOf(monthName.toLowerCase())
  const day = Number(dayText)
  const hour = Number(hourText)
  const minute = Number(minuteText)
  const second = Number(secondText)
  // 60 is a leap second, which becomes the first of the next minute.
  if (day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60) return undefined
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  return Date.UTC(year + 400, month, day, hour, minute, second) - FOUR_CENTURIES_MS
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year + 400, month + 1, 0)).getUTCDate()
}
