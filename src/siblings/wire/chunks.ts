/** Takes chunks apart (RFC 9112 section 7.1), strictly: without extensions, and with trailers that nobody hears of. */
import { FormFault } from './form-fault.ts'

const CR = 13
const LF = 10
/** A chunk has less than 4 GiB. */
const MOST_DIGITS = 8
const MAX_TRAILER_BYTES = 16 * 1024

type State =
  | 'size'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'line'
  | 'trailer'
  | 'trailer-lf'
  | 'last-lf'
  | 'over'

export class Chunks {
  #state: State = 'size'
  #digits = 0
  #left = 0
  #trailerBytes = 0

  /** Bytes of data that come next, before anything else. */
  get left(): number {
    return this.#left
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** So many of them have come. */
  took(bytes: number): void {
    this.#left -= bytes
    if (this.#left === 0) this.#state = 'data-cr'
  }

  /** Reads what stands around data, from `at` up to data, the end of the body or `end`; answers where it is then. Throws a FormFault. */
  skip(bytes: Uint8Array, at: number, end: number): number {
    let next = at
    while (next < end && this.#state !== 'data' && this.#state !== 'over') this.#read(bytes[next++] ?? 0)
    return next
  }

  #read(byte: number): void {
    switch (this.#state) {
      case 'size': {
        const digit = digitOf(byte)
        if (digit !== undefined && this.#digits < MOST_DIGITS) {
          this.#digits++
          this.#left = this.#left * 16 + digit
        } else if (byte === CR && this.#digits > 0) this.#state = 'size-lf'
        else throw fault('the size of a chunk, up to eight hexadecimal digits', byte)
        return
      }
      case 'size-lf':
        if (byte !== LF) throw fault('a line feed behind the size of a chunk', byte)
        this.#digits = 0
        this.#state = this.#left > 0 ? 'data' : 'line'
        return
      case 'data-cr':
        if (byte !== CR) throw fault('the end of a chunk', byte)
        this.#state = 'data-lf'
        return
      case 'data-lf':
        if (byte !== LF) throw fault('the end of a chunk', byte)
        this.#state = 'size'
        return
      case 'line':
        if (byte === LF) throw fault('a trailer or the end of the body', byte)
        this.#state = byte === CR ? 'last-lf' : 'trailer'
        return
      case 'trailer':
        if (byte === LF) throw fault('a carriage return before it', byte)
        if (++this.#trailerBytes > MAX_TRAILER_BYTES)
          throw new FormFault(`trailers of at most ${MAX_TRAILER_BYTES} bytes`, 'more')
        if (byte === CR) this.#state = 'trailer-lf'
        return
      case 'trailer-lf':
        if (byte !== LF) throw fault('a line feed behind a trailer', byte)
        this.#state = 'line'
        return
      case 'last-lf':
        if (byte !== LF) throw fault('the end of the body', byte)
        this.#state = 'over'
        return
      case 'data':
      case 'over':
        return
    }
  }
}

function fault(expected: string, byte: number): FormFault {
  return new FormFault(expected, String.fromCharCode(byte))
}

function digitOf(byte: number): number | undefined {
  if (byte >= 48 && byte <= 57) return byte - 48
  const letter = byte | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : undefined
}
