/** The end of service: no new viewers, those being served may finish, and nobody holds it up for longer than agreed. */
import { Server } from 'node:http'
import type { Socket } from 'node:net'

/** A connection becomes idle when its response ends, and nobody but us would close it then. */
const SWEEP_MS = 50
/** Who has connected and said nothing by then has nothing to say; a request may be on its way just now. */
const SILENT_MS = 250

export interface Guests {
  readonly connections: ReadonlySet<Socket>
  /** Those of WebSockets, which the server no longer counts among its own. */
  readonly upgraded: ReadonlySet<Socket>
}

/** Settles when the last connection is gone: by itself, or cut after `timeoutMs`. */
export async function drain(server: Server, guests: Guests, timeoutMs: number): Promise<void> {
  // Not the method of this object: the WebSocket proxy has put its own in front, which goes on listening for as long
  // as one of its clients takes to say goodbye. That one comes second, and says goodbye to them.
  const closed = new Promise<void>((resolve) => Server.prototype.close.call(server, () => resolve()))
  server.close()
  server.closeIdleConnections()
  // Opened ahead by a browser, and never spoken on: the server does not take them for idle.
  const silence = setTimeout(() => {
    for (const socket of guests.connections) if (socket.bytesRead === 0) socket.destroy()
  }, SILENT_MS)
  const timer = setTimeout(() => {
    server.closeAllConnections()
    for (const socket of guests.upgraded) socket.destroy()
  }, timeoutMs)
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
  await closed
  clearTimeout(silence)
  clearTimeout(timer)
  clearInterval(sweep)
}
