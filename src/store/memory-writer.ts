/** A response on its way into memory. */
import type { ByteRange } from '../rfc/range.ts'
import { isFitted } from './chunks.ts'
import type { MemoryBody } from './memory-body.ts'
import type { StoredHead, StoredResponse, StoreWriter } from './store.ts'

/** A response as memory holds it. */
export interface MemoryResponse extends StoredResponse {
  readonly body: MemoryBody
}

/** What a writer asks of the store it writes into; all in bytes. */
export interface Room {
  /** Room for so much more, or false: then there is none for this response. */
  take(bytes: number): boolean
  giveBack(bytes: number): void
  /** Whether a response of this size is still wanted. */
  grown(bytes: number): boolean
  body(chunks: readonly Uint8Array[]): MemoryBody
  put(stored: MemoryResponse, bytes: number): StoredResponse | undefined
}

export class MemoryWriter implements StoreWriter {
  readonly #head: StoredHead
  readonly #room: Room
  #chunks: Uint8Array[] = []
  /** Bytes taken from the room: head and body. */
  #bytes = 0
  #isOpen: boolean

  constructor(head: StoredHead, headBytes: number, room: Room) {
    this.#head = head
    this.#room = room
    this.#isOpen = room.take(headBytes)
    if (this.#isOpen) this.#bytes = headBytes
  }

  get held(): 'memory' | 'nowhere' {
    return this.#isOpen ? 'memory' : 'nowhere'
  }

  write(chunk: Uint8Array): void {
    if (!this.#isOpen || chunk.byteLength === 0) return
    if (!this.#room.grown(this.#bytes + chunk.byteLength) || !this.#room.take(chunk.byteLength)) {
      this.#forget()
      return
    }
    this.#bytes += chunk.byteLength
    const before = this.#chunks.at(-1)
    if (before !== undefined && continues(before, chunk)) {
      this.#chunks[this.#chunks.length - 1] = joined(before, chunk)
    } else {
      this.#chunks.push(chunk)
    }
  }

  readBack(_range: ByteRange): Promise<Uint8Array> {
    return Promise.reject(
      new Error('nothing has to be read back from memory: the chunks themselves are kept'),
    )
  }

  async commit(): Promise<StoredResponse | undefined> {
    if (!this.#isOpen) return undefined
    this.#isOpen = false
    return this.#room.put({ head: this.#head, body: this.#room.body(this.#chunks.map(fitted)) }, this.#bytes)
  }

  async abort(_reason: Error): Promise<void> {
    if (this.#isOpen) this.#forget()
  }

  #forget(): void {
    this.#isOpen = false
    this.#chunks = []
    this.#room.giveBack(this.#bytes)
    this.#bytes = 0
  }
}

/** Whether `chunk` lies in memory right behind `before`. */
function continues(before: Uint8Array, chunk: Uint8Array): boolean {
  return before.buffer === chunk.buffer && before.byteOffset + before.byteLength === chunk.byteOffset
}

function joined(before: Uint8Array, chunk: Uint8Array): Uint8Array {
  return new Uint8Array(before.buffer, before.byteOffset, before.byteLength + chunk.byteLength)
}

/** The chunk itself, or a copy where it would keep alive a buffer that is much larger: what is held is what is counted. */
function fitted(chunk: Uint8Array): Uint8Array {
  return isFitted(chunk) ? chunk : Uint8Array.from(chunk)
}
