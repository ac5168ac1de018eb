/** An origin that speaks whatever bytes a test likes: for answers no HTTP library would write. */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface RawOrigin {
  readonly url: string
  /** Requests that have come, one for each head. */
  readonly requests: number
}

/** `answer` is called with each request's head. Stopped, connections and all, when the test ends. */
export async function openRawOrigin(
  t: Pick<TestContext, 'after'>,
  answer: (socket: Socket, head: string, nth: number) => unknown,
): Promise<RawOrigin> {
  const sockets = new Set<Socket>()
  let requests = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end)
        text = text.slice(end + 4)
        answer(socket, head, ++requests)
      }
    })
    socket.on('error', () => undefined) // a peer that resets is what some tests are about
    socket.on('close', () => sockets.delete(socket))
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
    get requests() {
      return requests
    },
  }
}
