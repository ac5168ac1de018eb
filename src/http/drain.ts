/** The end of service: no new viewers, those being served may finish, and nobody holds it up for longer than agreed. */
import { Server } from 'node:http'
import type { Socket } from 'node:net'

/** A connection becomes idle when its response ends, and nobody but us would close it then. */
const SWEEP_MS = 50

/** Settles when the last connection is gone: by itself, or cut after `timeoutMs`. `upgraded` are those of WebSockets. */
export async function drain(server: Server, upgraded: ReadonlySet<Socket>, timeoutMs: number): Promise<void> {
  // Not the method of this object: the WebSocket proxy has put its own in front, which goes on listening for as long
  // as one of its clients takes to say goodbye. That one comes second, and says goodbye to them.
  const closed = new Promise<void>((resolve) => Server.prototype.close.call(server, () => resolve()))
  server.close()
  server.closeIdleConnections()
  const timer = setTimeout(() => {
    server.closeAllConnections()
    for (const socket of upgraded) socket.destroy()
  }, timeoutMs)
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
  await closed
  clearTimeout(timer)
  clearInterval(sweep)
}
