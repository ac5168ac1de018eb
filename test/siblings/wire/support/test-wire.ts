/** Wires to siblings that are none, and what was heard over them. */
import type { TestContext } from 'node:test'
import type { RelaisError } from '../../../../src/errors.ts'
import type { Fields } from '../../../../src/rfc/heads.ts'
import type { Exchange, Listener, Order } from '../../../../src/siblings/wire/exchange.ts'
import { type Wire, Wires, type WiresOptions } from '../../../../src/siblings/wire/wire.ts'
import { until } from '../../../support/barrier.ts'

/** Longer than any test waits where nothing is to be late. */
const LONG_MS = 20_000

export interface TestWire {
  readonly wires: Wires
  readonly wire: Wire
  /** Asks for `/` with GET. */
  ask(order?: Partial<Order>, listener?: Partial<Listener>): Asked
}

/** One request and what has been heard of it so far. Each piece is copied and given back at once, unless the listener takes pieces. */
export interface Asked {
  readonly exchange: Exchange
  readonly words: readonly string[]
  readonly status: number | undefined
  readonly fields: Fields
  readonly body: Buffer
  readonly error: RelaisError | undefined
  /** Settles when it has ended or failed. */
  readonly over: Promise<void>
}

export function openTestWire(
  t: Pick<TestContext, 'after'>,
  url: string,
  options: Partial<WiresOptions> & { readonly connections?: number } = {},
): TestWire {
  const { connections = 8, ...rest } = options
  const wires = new Wires({
    ...{ connectMs: LONG_MS, idleMs: LONG_MS, bodyMs: LONG_MS, queue: 64 },
    ...rest,
  })
  t.after(() => wires.close())
  const wire = wires.to('other', url, connections)
  return { wires, wire, ask: (order = {}, listener = {}) => asked(wire, order, listener) }
}

function asked(wire: Wire, order: Partial<Order>, listener: Partial<Listener>): Asked {
  const words: string[] = []
  const pieces: Buffer[] = []
  let status: number | undefined
  let fields: Fields = {}
  let error: RelaisError | undefined
  const over = Promise.withResolvers<void>()
  const text = `${order.isHead === true ? 'HEAD' : 'GET'} / HTTP/1.1\r\nhost: x\r\n\r\n`
  const exchange = wire.send(
    { text, isHead: false, silenceMs: LONG_MS, headMs: LONG_MS, ...order },
    {
      head(...head) {
        words.push('head')
        ;[status, fields] = head
        listener.head?.(...head)
      },
      piece(bytes, giveBack) {
        if (words.at(-1) !== 'piece') words.push('piece')
        if (listener.piece !== undefined) {
          listener.piece(bytes, giveBack)
          return
        }
        pieces.push(Buffer.from(bytes))
        giveBack()
      },
      ended() {
        words.push('ended')
        listener.ended?.()
        over.resolve()
      },
      failed(cause) {
        words.push('failed')
        error = cause
        listener.failed?.(cause)
        over.resolve()
      },
    },
  )
  return {
    exchange,
    words,
    over: over.promise,
    get status() {
      return status
    },
    get fields() {
      return fields
    },
    get body() {
      return Buffer.concat(pieces)
    },
    get error() {
      return error
    },
  }
}

/** All connections are gone. */
export function untilGone({ wires }: TestWire): Promise<void> {
  return until(() => wires.open === 0, 'no connection is open')
}
