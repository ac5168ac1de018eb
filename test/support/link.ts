/** The line to a server whose address has to be known before it listens: it can be led there later, and be cut. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface Link {
  /** Where to come in. */
  readonly url: string
  /** Leads there from now on. */
  leadTo(url: string): void
  /** Breaks what is on it, and refuses what comes. */
  cut(): void
  /** What is on it, and what comes, gets no further, and is not told so. */
  silence(): void
  /** Objects still come; states and purges get no further, and are not told so. */
  holdNews(): void
  heal(): void
}

/** What connections for objects begin with; news has connections of its own. */
const OBJECT = ' /-/peer/v1/obj/'

export async function openLink(t: Pick<TestContext, 'after'>): Promise<Link> {
  const sockets = new Set<Socket>()
  let target: URL | undefined
  const news = new Set<Socket>()
  let state: 'open' | 'cut' | 'silent' | 'objects' = 'open'
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined) // whoever comes in may be cut off
    socket.on('close', () => {
      sockets.delete(socket)
      news.delete(socket)
    })
    if (state === 'silent') return
    if (state === 'cut' || target === undefined) {
      socket.resetAndDestroy()
      return
    }
    const onward = connect(Number(target.port), target.hostname)
    sockets.add(onward)
    onward.on('error', () => socket.destroy())
    onward.on('close', () => {
      sockets.delete(onward)
      socket.destroy()
    })
    socket.on('close', () => onward.destroy())
    onward.pipe(socket)
    socket.once('data', (first) => {
      if (!first.includes(OBJECT)) news.add(socket)
      if (state === 'objects' && news.has(socket)) {
        socket.pause()
        return
      }
      onward.write(first)
      socket.pipe(onward)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  )
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    leadTo: (url) => {
      target = new URL(url)
    },
    cut: () => {
      state = 'cut'
      for (const socket of sockets) socket.resetAndDestroy()
    },
    silence: () => {
      state = 'silent'
      for (const socket of sockets) {
        socket.unpipe()
        socket.pause()
      }
    },
    holdNews: () => {
      state = 'objects'
      for (const socket of news) {
        socket.unpipe()
        socket.pause()
      }
    },
    heal: () => {
      state = 'open'
      for (const socket of sockets) socket.destroy()
    },
  }
}
