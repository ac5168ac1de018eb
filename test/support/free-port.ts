/** A port that nobody has at this moment, for programs that must be told theirs. */
import { type AddressInfo, createServer } from 'node:net'

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      // It listens on a port, so it has one.
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
