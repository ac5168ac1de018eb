/** A port for programs that must be told theirs before they have it. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below what systems give out by themselves: whoever asks for any port meanwhile does not get this one. */
const FIRST = 20_000
const LAST = 32_000

/** One that nobody has at this moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
