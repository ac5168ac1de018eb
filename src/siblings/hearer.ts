/** What is heard of one request to a sibling as it comes, without promises and copies in between. */
import type { RelaisError } from '../errors.ts'
import type { HeardObject, NoObject } from './peer-answer.ts'

/** Hears one answer. None of it is called before `Sibling.call` has returned, and none of it may throw. */
export interface Hearer {
  /** The head, judged by heardOf; the only word when it is no object. */
  heard(answer: HeardObject | NoObject): void
  /**
   * A piece of the body; its bytes stay as they are until `giveBack` is called. A second call does nothing. Until then it
   * holds up to 256 KiB, be it as small as it may: who does not pass it on soon copies it, or pauses.
   */
  piece(bytes: Buffer, giveBack: () => void): void
  /** The body has come whole. */
  ended(): void
  /** No head that can be believed came, or the body broke off. Nothing is called after it, nor after ended(). */
  failed(error: RelaisError): void
}

/** One request that is under way. */
export interface Call {
  /** What has been read already is still heard: a quarter of a megabyte at most. Time in which it pauses is no silence. */
  pause(): void
  resume(): void
  /** Nothing more is heard; the connection ends unless all has come. When it is over already, this does nothing. */
  leave(): void
}
