/** Ports for programs that must be told theirs before they have it. */
import { createServer } from 'node:net'

/** Below what systems give out by themselves: whoever asks for any port meanwhile gets none of these. */
const FIRST = 20_000
/** Tests that run at the same time are processes of their own, and look in different places. */
const PLACES = 120
const PORTS_A_PLACE = 100

const place = FIRST + (process.pid % PLACES) * PORTS_A_PLACE
let next = 0

/** One that nobody has at this moment, and that this process is not told again. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS_A_PLACE; tries++) {
    const port = place + (next++ % PORTS_A_PLACE)
    if (await isFree(port)) return port
  }
  throw new Error(`no port from ${place} to ${place + PORTS_A_PLACE - 1} is free`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
