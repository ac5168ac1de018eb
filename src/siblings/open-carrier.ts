/** The carrier that the configuration asks for. */
import type { Carrier, CarrierEvents, Whereabouts } from './carrier.ts'
import { HttpCarrier } from './http-carrier.ts'
import { NatsCarrier } from './nats-carrier.ts'
import type { ClusterOptions } from './options.ts'
import type { PeerAuth } from './peer-auth.ts'
import { PeerCaller } from './peer-call.ts'
import type { PurgeBook } from './purge-book.ts'

export interface CarrierContext {
  readonly options: ClusterOptions
  readonly node: string
  readonly auth: PeerAuth
  readonly book: PurgeBook
  readonly events: CarrierEvents
  whereabouts(): readonly Whereabouts[]
}

export function openCarrier(context: CarrierContext): Carrier {
  const { options, node, auth, book, events, whereabouts } = context
  if (options.nats !== undefined) {
    return new NatsCarrier({ options: options.nats, cluster: options.name, node, auth, book, events })
  }
  return new HttpCarrier({ caller: new PeerCaller(node, auth), book, events, whereabouts })
}
