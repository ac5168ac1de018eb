/** Load by wrk: as many requests as one connection after the other allows, for a while. */
import { output } from './ground.ts'

export interface Load {
  readonly requests: number
  readonly seconds: number
}

const CONNECTIONS = 32
const MOST_HEAD_BYTES = 2048

/**
 * Of `range` (`0-1023`), where one is named, else of the whole. Rejects when an answer was not a success of this size:
 * then it was not what was to be measured.
 */
export async function load(
  port: number,
  target: string,
  bodyBytes: number,
  seconds: number,
  range?: string,
): Promise<Load> {
  const url = `http://127.0.0.1:${port}${target}`
  const field = range === undefined ? [] : ['-H', `Range: bytes=${range}`]
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--timeout', '10s', ...field, url]
  const text = await output('others', 'wrk', args, (seconds + 20) * 1000)
  const summary = /(\d+) requests in ([\d.]+)s, ([\d.]+)([KMGT]?)B read/.exec(text)
  if (summary === null) throw new Error(`wrk said nothing that is known: ${text}`)
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`${url} was not always answered: ${text}`)
  const requests = Number(summary[1])
  const read = Number(summary[3]) * 1024 ** ' KMGT'.indexOf(summary[4] || ' ')
  // What was still on its way at the end counts as read and not as a request.
  if (read < requests * bodyBytes * 0.98) throw new Error(`${url} was not answered in full: ${text}`)
  if (range !== undefined && read > (requests + CONNECTIONS) * (bodyBytes + MOST_HEAD_BYTES))
    throw new Error(`${url} was answered with more than its range: ${text}`)
  return { requests, seconds: Number(summary[2]) }
}
