/** One connection to a sibling: a request after the other, and the bytes of the answers where they were read. */
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { RelaisError } from '../../errors.ts'
import type { Fields } from '../../rfc/heads.ts'
import { upstreamError } from '../../upstream/upstream-error.ts'
import type { Exchange, Road } from './exchange.ts'
import { FormFault } from './form-fault.ts'
import { type Patience, Waiter } from './patience.ts'
import type { HeadReader } from './response-head.ts'
import { ResponseReader, type Sink } from './response-reader.ts'
import { type Slab, type Slabs, SMALL_BYTES } from './slabs.ts'

/** So much of what nobody wants is read, so that the connection can be used again. */
const DRAINED_BYTES = 16 * 1024

/** Where it leads to, and with whose means. */
export interface Line {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  readonly connectMs: number
  /** How long it is kept without use. */
  readonly idleMs: number
  /** How long nothing may come of a body. */
  readonly bodyMs: number
  readonly patience: Patience
  readonly slabs: Slabs
  readonly heads: HeadReader
  /** The answer has come whole: it can carry the next one. */
  onFree(connection: Connection): void
  /** It carries nothing more. `exchange` has failed with it, and may be sent again when `isStale`: it was kept, and not a byte came. */
  onLost(connection: Connection, exchange: Exchange | undefined, error: RelaisError, isStale: boolean): void
}

export class Connection extends Waiter implements Road, Sink {
  readonly #line: Line
  readonly #socket: Socket
  readonly #reader: ResponseReader
  #state: 'connecting' | 'standing' | 'lost' = 'connecting'
  #exchange: Exchange | undefined
  #slab: Slab
  #space: Buffer
  /** The read before filled its space, or brought more than a small one holds: more lies there. */
  #isFlowing = false
  #carried = 0
  #hasHeard = false
  #isDraining = false

  constructor(line: Line) {
    super()
    this.#line = line
    this.#reader = new ResponseReader(line.heads, this)
    this.#slab = line.slabs.take(false)
    this.#space = this.#slab.bytes
    const { host, port, isSecure, idleMs } = line
    const onread = {
      buffer: () => this.#nextSpace(),
      callback: (bytes: number) => {
        this.#heard(bytes)
        return true
      },
    }
    const to = { host, port, onread, noDelay: true }
    const servername = isIP(host) === 0 ? { servername: host } : {}
    this.#socket = isSecure
      ? connectSecurely({ ...to, ...servername, ALPNProtocols: ['http/1.1'] })
      : connect(to)
    line.patience.wait(this, line.connectMs)
    this.#socket.setTimeout(idleMs)
    this.#socket.once(isSecure ? 'secureConnect' : 'connect', () => this.#connected())
    this.#socket.on('timeout', () => {
      if (this.#exchange === undefined) this.end()
    })
    this.#socket.on('end', () => this.#lose(this.#closed('it closed the connection')))
    this.#socket.on('error', (error) =>
      this.#lose(upstreamError(error, line.name, this.#reader.state === 'body' ? 'body' : 'head')),
    )
    this.#socket.on('close', () => {
      this.#lose(this.#closed('the connection was closed'))
      this.#slab.left()
    })
  }

  /** Sends it as soon as the connection stands. It is to carry nothing else then. */
  carry(exchange: Exchange): void {
    this.#exchange = exchange
    this.#carried++
    this.#hasHeard = false
    exchange.connection = this
    if (this.#state === 'standing') this.#send(exchange)
  }

  pause(): void {
    if (this.#state !== 'lost') this.#socket.pause()
  }

  resume(): void {
    if (this.#state !== 'lost') this.#socket.resume()
  }

  /** What it carries is wanted no more. */
  drop(): void {
    if (this.#state === 'lost') return
    const { state, left } = this.#reader
    if (this.#state === 'connecting' || state === 'head' || left > DRAINED_BYTES) {
      this.end()
      return
    }
    this.#isDraining = true
    this.#line.patience.wait(this, this.#line.bodyMs)
    this.#socket.resume()
  }

  end(): void {
    this.#lose(this.#closed('we closed the connection'))
  }

  interim(): void {
    this.#exchange?.interim()
  }

  head(status: number, fields: Fields): void {
    this.#exchange?.head(status, fields)
  }

  part(bytes: Buffer, from: number, to: number): void {
    const exchange = this.#exchange
    if (exchange === undefined || exchange.isOver) return
    exchange.piece(bytes.subarray(from, to), this.#slab.lend())
  }

  /** It does not stand in time, or what nobody wants does not come. */
  override late(): void {
    const { connectMs, name } = this.#line
    const details = `no connection within ${connectMs} ms`
    this.#lose(new RelaisError('CONNECTION_TIMEOUT', { details, nextHop: name }))
  }

  #connected(): void {
    if (this.#state !== 'connecting') return
    this.#line.patience.end(this)
    this.#state = 'standing'
    if (this.#exchange !== undefined) this.#send(this.#exchange)
  }

  #send(exchange: Exchange): void {
    this.#reader.await(exchange.order.isHead)
    this.#socket.write(exchange.order.text, 'latin1')
    if (exchange.isPaused) this.pause()
  }

  #closed(details: string): RelaisError {
    const code = this.#reader.state === 'body' ? 'RESPONSE_INCOMPLETE' : 'CONNECTION_TERMINATED'
    return new RelaisError(code, { details, nextHop: this.#line.name })
  }

  #lose(error: RelaisError): void {
    if (this.#state === 'lost') return
    const isStale = this.#carried > 1 && !this.#hasHeard && this.#reader.state === 'head'
    this.#state = 'lost'
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#line.patience.end(this)
    this.#socket.destroy()
    this.#line.onLost(this, exchange, error, isStale)
  }

  /** Where the next bytes go: into what is left of a slab as long as views of it are out. */
  #nextSpace(): Buffer {
    const { left } = this.#reader
    const isLarge = this.#isFlowing && left > SMALL_BYTES
    const isFit = this.#slab.isLarge ? left > 0 : !isLarge
    const space = isFit ? this.#slab.space() : undefined
    if (space !== undefined) this.#space = space
    else if (this.#state !== 'lost') {
      this.#slab.left()
      this.#slab = this.#line.slabs.take(isLarge)
      this.#space = this.#slab.bytes
    }
    return this.#space
  }

  #heard(count: number): void {
    const bytes = this.#space
    this.#isFlowing = count === bytes.byteLength || count > SMALL_BYTES
    this.#hasHeard = true
    this.#slab.filled(count)
    try {
      this.#take(bytes, count)
    } catch (error) {
      if (!(error instanceof FormFault)) throw error
      const code = error.isTooLarge ? 'RESPONSE_HEAD_TOO_LARGE' : 'RESPONSE_PROTOCOL'
      this.#lose(new RelaisError(code, { details: error.message, cause: error, nextHop: this.#line.name }))
    }
  }

  #take(bytes: Buffer, end: number): void {
    for (let at = 0; at < end && this.#state !== 'lost'; ) {
      if (this.#reader.isOver) {
        this.#lose(this.#closed('bytes came that nobody asked for'))
        return
      }
      at = this.#reader.step(bytes, at, end)
      if (this.#reader.isOver) this.#finish(at < end)
    }
  }

  /** The answer is whole. `hasMore`: there are bytes behind it, which answer nothing. */
  #finish(hasMore: boolean): void {
    // Who heard of its last bytes may have ended the connection.
    if (this.#state === 'lost') return
    const exchange = this.#exchange
    this.#exchange = undefined
    if (this.#isDraining) this.#line.patience.end(this)
    this.#isDraining = false
    if (exchange?.isPaused === true) this.#socket.resume()
    if (this.#reader.isLast || hasMore) this.end()
    else this.#line.onFree(this)
    exchange?.ended()
  }
}
