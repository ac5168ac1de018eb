/** What carries requests for objects to one sibling: a bounded number of connections, and a bounded queue before them. */
import { RelaisError } from '../../errors.ts'
import { Connection, type Line } from './connection.ts'
import { type Carrier, Exchange, type Listener, type Order } from './exchange.ts'
import { Patience } from './patience.ts'
import { HeadReader } from './response-head.ts'
import { Slabs } from './slabs.ts'

export interface WiresOptions {
  /** How long a connection may take to stand. */
  readonly connectMs: number
  /** How long a connection is kept without use: less than siblings keep it. */
  readonly idleMs: number
  /** How long a sibling may fall silent in the middle of a body. */
  readonly bodyMs: number
  /** Requests that may wait for a connection, for each wire. */
  readonly queue: number
}

/** All wires of a node, and what they have in common. */
export class Wires {
  readonly options: WiresOptions
  readonly patience = new Patience()
  readonly slabs = new Slabs()
  readonly heads = new HeadReader()
  readonly #connections = new Set<Connection>()
  #isClosed = false

  constructor(options: WiresOptions) {
    this.options = options
  }

  /** To the sibling of this name at `url`, scheme, host and port, with so many connections at most. Connects when it is used. */
  to(name: string, url: string, connections: number): Wire {
    return new Wire(this, name, new URL(url), connections)
  }

  /** How many connections there are. */
  get open(): number {
    return this.#connections.size
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  opened(connection: Connection): void {
    this.#connections.add(connection)
  }

  lost(connection: Connection): void {
    this.#connections.delete(connection)
  }

  /** What is under way fails, and nothing is sent any more. */
  close(): void {
    this.#isClosed = true
    for (const connection of this.#connections) connection.end()
  }
}

export class Wire implements Carrier, Line {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  readonly connectMs: number
  readonly idleMs: number
  readonly bodyMs: number
  readonly patience: Patience
  readonly slabs: Slabs
  readonly heads: HeadReader
  readonly #wires: Wires
  readonly #mostConnections: number
  #count = 0
  readonly #idle: Connection[] = []
  readonly #queue = new Set<Exchange>()

  constructor(wires: Wires, name: string, { protocol, hostname, port }: URL, connections: number) {
    this.#wires = wires
    this.#mostConnections = connections
    this.name = name
    this.isSecure = protocol === 'https:'
    this.host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
    this.port = port === '' ? (this.isSecure ? 443 : 80) : Number(port)
    const { connectMs, idleMs, bodyMs } = wires.options
    this.connectMs = connectMs
    this.idleMs = idleMs
    this.bodyMs = bodyMs
    this.patience = wires.patience
    this.slabs = wires.slabs
    this.heads = wires.heads
  }

  /** Connections there are, those that carry nothing, and requests that wait for one. */
  counts(): { readonly connections: number; readonly idle: number; readonly waiting: number } {
    return { connections: this.#count, idle: this.#idle.length, waiting: this.#queue.size }
  }

  /** Sends a request, at once where a connection is free. */
  send(order: Order, listener: Listener): Exchange {
    const { queue } = this.#wires.options
    const exchange = new Exchange(this, order, listener)
    if (this.#queue.size >= queue && this.#isTaken) {
      const details = `${this.#queue.size} requests wait for it already`
      this.#failLater(exchange, new RelaisError('CONNECTION_LIMIT', { details, nextHop: this.name }))
    } else if (this.#wires.isClosed) this.#failLater(exchange, this.#closed())
    else this.#give(exchange)
    return exchange
  }

  forget(exchange: Exchange): void {
    this.#queue.delete(exchange)
  }

  onFree(connection: Connection): void {
    const next = this.#next()
    if (next === undefined) this.#idle.push(connection)
    else connection.carry(next)
  }

  onLost(connection: Connection, exchange: Exchange | undefined, error: RelaisError, isStale: boolean): void {
    this.#count--
    this.#wires.lost(connection)
    const index = this.#idle.indexOf(connection)
    if (index !== -1) this.#idle.splice(index, 1)
    const isAgain = exchange !== undefined && isStale && !exchange.isRepeated && !exchange.isOver
    if (isAgain && !this.#wires.isClosed) {
      // A GET or HEAD is sent once more (RFC 9112 section 9.3.1), on a connection of its own, so that it cannot happen twice.
      exchange.isRepeated = true
      this.#connect(exchange)
      return
    }
    if (this.#wires.isClosed) {
      for (const waiting of this.#queue) this.#failLater(waiting, this.#closed())
      this.#queue.clear()
    }
    const next = this.#next()
    if (next !== undefined) this.#connect(next)
    exchange?.failed(error)
  }

  /** Whose turn it is, out of the queue; undefined: nobody waits. */
  #next(): Exchange | undefined {
    if (this.#queue.size === 0) return undefined
    const [next] = this.#queue
    if (next !== undefined) this.#queue.delete(next)
    return next
  }

  get #isTaken(): boolean {
    return this.#idle.length === 0 && this.#count >= this.#mostConnections
  }

  #give(exchange: Exchange): void {
    const idle = this.#idle.pop()
    if (idle !== undefined) idle.carry(exchange)
    else if (this.#count < this.#mostConnections) this.#connect(exchange)
    else this.#queue.add(exchange)
  }

  #connect(exchange: Exchange): void {
    const connection = new Connection(this)
    this.#count++
    this.#wires.opened(connection)
    connection.carry(exchange)
  }

  /** Nobody hears anything before he knows what he asked. */
  #failLater(exchange: Exchange, error: RelaisError): void {
    queueMicrotask(() => exchange.failed(error))
  }

  #closed(): RelaisError {
    return new RelaisError('CONNECTION_TERMINATED', { details: 'this node is closing', nextHop: this.name })
  }
}
