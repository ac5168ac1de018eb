/** A body as the connection brings it: held back when its reader is slow, and handed on without a stream in between. */

/** So much may wait for its reader; then the connection is not read any more. */
const MOST_WAITING_BYTES = 128 * 1024

/** The connection that it comes from. */
export interface Tap {
  pause(): void
  resume(): void
  /** Ends the connection: half a body cannot be skipped. */
  abort(reason: Error): void
}

/** The one who reads on behalf of others. */
export interface Told {
  /** So many bytes are handed on. */
  took(bytes: number): void
  /** What the reader is to be told instead of what broke the body. Asked once, when he reads on nevertheless. */
  explain(cause: unknown): unknown
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** To be read once. It throws what broke the body when all that came before that was read. */
export class ArrivingBody implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #tap: Tap
  #told: Told | undefined
  readonly #onOver: (() => void)[] = []
  #chunks: Uint8Array[] = []
  #waitingBytes = 0
  #state: 'arriving' | 'whole' | 'broken' = 'arriving'
  #cause: unknown
  #reader: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> | undefined

  constructor(tap: Tap) {
    this.#tap = tap
  }

  /** Calls `listener` when nothing more comes: at once, where that is so already. */
  whenOver(listener: () => void): void {
    if (this.#state === 'arriving') this.#onOver.push(listener)
    else listener()
  }

  /** The same, which tells `told` what happens to it. */
  telling(told: Told): this {
    this.#told = told
    return this
  }

  push(chunk: Uint8Array): void {
    if (this.#state !== 'arriving') return
    const reader = this.#reader
    if (reader !== undefined) {
      this.#reader = undefined
      reader.resolve(this.#handed(chunk))
      return
    }
    this.#chunks.push(chunk)
    this.#waitingBytes += chunk.byteLength
    if (this.#waitingBytes >= MOST_WAITING_BYTES) this.#tap.pause()
  }

  /** All has come. */
  end(): void {
    if (this.#state !== 'arriving') return
    this.#reader?.resolve(DONE)
    this.#over('whole')
  }

  /** No more will come, though it should have. */
  fail(cause: unknown): void {
    if (this.#state !== 'arriving') return
    this.#cause = cause
    const reader = this.#reader
    this.#over('broken')
    reader?.reject(this.#explained())
  }

  /** Nobody wants it any more: who reads it nevertheless is told so. */
  cancel(): void {
    const isArriving = this.#state === 'arriving'
    if (!isArriving && this.#chunks.length === 0) return
    this.#chunks = []
    const cause = new Cancelled()
    if (!isArriving) {
      this.#state = 'broken'
      this.#cause = cause
      return
    }
    this.fail(cause)
    this.#tap.abort(cause)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) {
      const isFull = this.#waitingBytes >= MOST_WAITING_BYTES
      this.#waitingBytes -= chunk.byteLength
      if (isFull && this.#waitingBytes < MOST_WAITING_BYTES && this.#state === 'arriving') this.#tap.resume()
      return Promise.resolve(this.#handed(chunk))
    }
    switch (this.#state) {
      case 'whole':
        return Promise.resolve(DONE)
      case 'broken':
        return Promise.reject(this.#explained())
      case 'arriving':
        this.#reader ??= Promise.withResolvers()
        return this.#reader.promise
    }
  }

  /** Leaving the loop early cancels the transfer. */
  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.cancel()
    return Promise.resolve(DONE)
  }

  #handed(value: Uint8Array): IteratorYieldResult<Uint8Array> {
    this.#told?.took(value.byteLength)
    return { done: false, value }
  }

  #explained(): unknown {
    const told = this.#told
    this.#told = undefined
    if (told !== undefined) this.#cause = told.explain(this.#cause)
    return this.#cause
  }

  #over(state: 'whole' | 'broken'): void {
    this.#state = state
    this.#reader = undefined
    for (const listener of this.#onOver.splice(0)) listener()
  }
}

/** It did not end; nobody waited for that. */
class Cancelled extends Error {
  constructor() {
    super('nobody wants the body any more')
  }
}
