/** Takes `100 Continue` out of what an origin sends, for undici takes one that it did not ask for as the end of the connection. */
import type { Socket } from 'node:net'

const REQUEST_LINE = / HTTP\/1\.1\r\n/
/** As far as one such head must have come to be known for what it is: `HTTP/1.1 100`. */
const STATUS_LINE = /^HTTP\/1\.[01] 100/
const STATUS_LINE_BYTES = 12
const HEAD_END = '\r\n\r\n'
/** A head that is longer is left to undici, which refuses it. */
const MAX_HEAD_BYTES = 64 * 1024

/**
 * A client must be able to read a 100 at any time (RFC 9110 section 15.2), and some servers send it to every POST. It is
 * looked for only between a request and the head of its answer, so that no body is ever touched: on a connection without
 * pipelining the first bytes behind a request are such a head. No Expect is ever passed on, so nobody waits for it.
 */
export function withoutContinue(socket: Socket): Socket {
  const read = socket.read.bind(socket)
  const write = socket.write.bind(socket)
  let awaitsHead = false
  let held: Buffer | undefined
  socket.write = (chunk: Uint8Array | string, ...rest: unknown[]): boolean => {
    // undici writes heads as strings, and bodies as bytes.
    if (typeof chunk === 'string' && REQUEST_LINE.test(chunk)) awaitsHead = true
    return Reflect.apply(write, socket, [chunk, ...rest])
  }
  socket.read = (size?: number): Buffer | null => {
    for (;;) {
      const chunk: Buffer | null = read(size)
      if (chunk === null || !awaitsHead) return chunk
      const bytes = held === undefined ? chunk : Buffer.concat([held, chunk])
      const rest = behindContinue(bytes)
      held = rest === undefined ? bytes : undefined
      if (rest === undefined || rest.byteLength === 0) continue
      awaitsHead = false
      return rest
    }
  }
  return socket
}

/** What follows the heads of all 100 at the beginning; undefined: that cannot be told before more has come. */
function behindContinue(bytes: Buffer): Buffer | undefined {
  let rest = bytes
  while (rest.byteLength > 0) {
    const start = rest.toString('latin1', 0, STATUS_LINE_BYTES)
    if (!STATUS_LINE.test(start))
      return start.length < STATUS_LINE_BYTES && mayBecome(start) ? undefined : rest
    const end = rest.indexOf(HEAD_END)
    if (end < 0) return rest.byteLength > MAX_HEAD_BYTES ? rest : undefined
    rest = rest.subarray(end + HEAD_END.length)
  }
  return rest
}

function mayBecome(start: string): boolean {
  return ['HTTP/1.1 100', 'HTTP/1.0 100'].some((whole) => whole.startsWith(start))
}
