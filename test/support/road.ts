/** A road between two processes that the test can cut: bytes go through, or nothing does, as when a cable is pulled. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface Road {
  /** Where it begins; it leads to the port that it was opened for. */
  readonly port: number
  /** From now on nothing passes, in either direction, and nobody is told: connections stay open and fall silent. */
  cut(): void
  /** What comes from now on passes. What fell silent is ended, as a system does that finds its peer knows nothing of it. */
  mend(): void
}

export async function openRoad(t: Pick<TestContext, 'after'>, to: number): Promise<Road> {
  let isCut = false
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.setNoDelay()
      one.on('data', (chunk) => {
        if (!isCut) other.write(chunk)
      })
      one.on('end', () => {
        if (!isCut) other.end()
      })
      one.on('error', () => {
        if (!isCut) other.destroy()
      })
      one.on('close', () => {
        sockets.delete(one)
        if (!isCut) other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  t.after(
    () =>
      new Promise<void>((resolve) => {
        isCut = false
        server.close(() => resolve())
        destroyAll()
      }),
  )
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true
    },
    mend() {
      isCut = false
      destroyAll()
    },
  }
}
