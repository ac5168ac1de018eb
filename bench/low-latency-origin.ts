/**
 * The demo origin as the origin of the low-latency benches, in a process of its own.
 *
 *     node bench/low-latency-origin.ts PORT COUNTS_PORT
 *
 * On COUNTS_PORT anything that is asked for is answered with how often each target was asked for on PORT, as JSON, and
 * the count begins anew.
 */
import { createServer } from 'node:http'
import { startDemo } from '../src/demo/demo-origin.ts'

const [port, countsPort] = process.argv.slice(2).map(Number)
if (port === undefined || countsPort === undefined) throw new Error('PORT and COUNTS_PORT are expected.')

const asked = new Map<string, number>()
await startDemo({
  host: '127.0.0.1',
  port,
  now: Date.now,
  onRequest: (target) => asked.set(target, (asked.get(target) ?? 0) + 1),
})
createServer((_, response) => {
  const counts = JSON.stringify(Object.fromEntries(asked))
  asked.clear()
  response.setHeader('content-type', 'application/json').end(counts)
}).listen(countsPort, '127.0.0.1')
