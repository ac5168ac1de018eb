/** A connection for tests that speak HTTP byte by byte. */
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface Wire {
  readonly socket: Socket
  /** Everything that has come so far, as latin1. */
  readonly received: string
  write(bytes: string | Uint8Array): void
  /** Settles when `pattern` has come; rejects with what came instead when the connection ends first. */
  seen(pattern: RegExp): Promise<RegExpExecArray>
  /** Settles with everything that came when the peer has closed the connection. */
  readonly closed: Promise<string>
}

/** Settles when the connection stands; destroyed when the test ends. */
export async function openWire(t: TestContext, url: string, bytes = ''): Promise<Wire> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.after(() => socket.destroy())
  let received = ''
  let isClosed = false
  const waiting = new Set<() => void>()
  const look = (): void => {
    for (const again of waiting) again()
  }
  socket.setEncoding('latin1')
  socket.on('data', (text) => {
    received += String(text)
    look()
  })
  socket.on('error', () => undefined) // a reset is an end like others; what came before it is what counts
  const closed = new Promise<string>((resolve) => {
    socket.on('close', () => {
      isClosed = true
      look()
      resolve(received)
    })
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  if (bytes !== '') socket.write(bytes, 'latin1')
  return {
    socket,
    closed,
    get received() {
      return received
    },
    write: (more) => void socket.write(more, 'latin1'),
    seen: (pattern) =>
      new Promise((resolve, reject) => {
        const again = (): void => {
          const match = pattern.exec(received)
          if (match === null && !isClosed) return
          waiting.delete(again)
          if (match !== null) resolve(match)
          else reject(new Error(`the connection ended before ${pattern}: ${JSON.stringify(received)}`))
        }
        waiting.add(again)
        again()
      }),
  }
}

/** One answer of an own connection, whole; the request must say `connection: close`. */
export async function exchange(t: TestContext, url: string, bytes: string): Promise<string> {
  const wire = await openWire(t, url, bytes)
  return wire.closed
}
