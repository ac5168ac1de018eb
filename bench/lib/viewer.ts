/**
 * One viewer on one connection, cheap enough that hundreds of them in one process do not measure themselves: all read
 * into one buffer, and only the head is parsed.
 */
import { connect, type Socket } from 'node:net'

/** Every viewer's bytes pass through here, one read at a time. */
const READ_BYTES = 256 * 1024
const HEAD_END = Buffer.from('\r\n\r\n')

export interface Watcher {
  /** The next bytes of the body, valid during the call alone; `at` is where they begin. */
  onBody(bytes: Buffer, at: number): void
}

interface Response {
  readonly watcher: Watcher
  /** What it has to begin with; anything else is not what was to be measured. */
  readonly status: 200 | 206
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  head: Buffer
  isInBody: boolean
  /** Undefined: the body is chunked. */
  length: number | undefined
  received: number
  chunk: 'size' | 'data' | 'data-end'
  chunkLeft: number
  line: string
}

export class Viewer {
  readonly #socket: Socket
  #response: Response | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  static connect(port: number): Promise<Viewer> {
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    return new Promise((resolve, reject) => {
      let viewer: Viewer | undefined
      const socket = connect({
        port,
        host: '127.0.0.1',
        noDelay: true,
        onread: {
          buffer,
          callback: (length) => {
            if (viewer !== undefined) viewer.#read(buffer.subarray(0, length))
            return true
          },
        },
      })
      socket.once('connect', () => {
        viewer = new Viewer(socket)
        resolve(viewer)
      })
      socket.on('error', (error) => {
        reject(error)
        if (viewer !== undefined) viewer.#fail(error)
      })
      socket.on('close', () => {
        if (viewer !== undefined) viewer.#fail(new Error('the connection ended before the response'))
      })
    })
  }

  /**
   * Asks for a path, or for a range of it (`0-1023`), and settles at the end of its body; rejects when it is no 200 (no
   * 206, of a range), or cut.
   */
  watch(path: string, watcher: Watcher, range?: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#response = {
        ...{
          status: range === undefined ? 200 : 206,
          watcher,
          resolve,
          reject,
          head: Buffer.alloc(0),
          isInBody: false,
          length: undefined,
        },
        ...{ received: 0, chunk: 'size', chunkLeft: 0, line: '' },
      }
      const field = range === undefined ? '' : `Range: bytes=${range}\r\n`
      this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n${field}\r\n`)
    })
  }

  /** Takes nothing from its connection until `resume`. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  leave(): void {
    this.#socket.destroy()
  }

  #read(bytes: Buffer): void {
    const response = this.#response
    if (response === undefined) return
    if (response.isInBody) {
      this.#body(response, bytes)
      return
    }
    const head = Buffer.concat([response.head, bytes])
    response.head = head
    const end = head.indexOf(HEAD_END)
    if (end < 0) return
    const text = head.toString('latin1', 0, end)
    if (!text.startsWith(`HTTP/1.1 ${response.status} `)) {
      this.#fail(new Error(`not a ${response.status}: ${text}`))
      return
    }
    const length = /^content-length:\s*(\d+)/im.exec(text)?.[1]
    response.length = length === undefined ? undefined : Number(length)
    response.isInBody = true
    this.#body(response, head.subarray(end + HEAD_END.byteLength))
  }

  #body(response: Response, bytes: Buffer): void {
    if (response.length === undefined) {
      this.#chunked(response, bytes)
      return
    }
    this.#take(response, bytes)
    if (response.received >= response.length) this.#end()
  }

  /** RFC 9112 section 7.1; servers of a bench send no extensions and no trailers. */
  #chunked(response: Response, bytes: Buffer): void {
    for (let at = 0; at < bytes.byteLength; ) {
      if (response.chunk === 'data') {
        const taken = bytes.subarray(at, at + response.chunkLeft)
        this.#take(response, taken)
        at += taken.byteLength
        response.chunkLeft -= taken.byteLength
        if (response.chunkLeft === 0) response.chunk = 'data-end'
        continue
      }
      const character = String.fromCharCode(bytes[at++] ?? 0)
      if (character !== '\n') {
        response.line += character
        continue
      }
      const line = response.line.trim()
      response.line = ''
      if (response.chunk === 'data-end') {
        response.chunk = 'size'
      } else if (line === '0') {
        this.#end()
        return
      } else {
        response.chunkLeft = Number.parseInt(line, 16)
        response.chunk = 'data'
      }
    }
  }

  #take(response: Response, bytes: Buffer): void {
    if (bytes.byteLength === 0) return
    response.watcher.onBody(bytes, response.received)
    response.received += bytes.byteLength
  }

  #end(): void {
    this.#response?.resolve()
    this.#response = undefined
  }

  #fail(error: Error): void {
    this.#response?.reject(error)
    this.#response = undefined
  }
}
