/** Has manifests read: short ones at once, long ones by a thread, so that nobody's segments wait for them. */
import { RelaisError } from '../../errors.ts'
import type { AddressBook } from '../../media/addresses/address-book.ts'
import { type Edition, edit, type Manuscript } from '../../media/edition.ts'
import { type BadManifest, isBad, type ManifestFacts } from '../../media/facts.ts'
import type { ManifestKind } from '../../media/kind.ts'
import { unpacked } from '../../media/packed-timelines.ts'
import { type Delta, type Done, skipped, type Task } from './task.ts'
import { Thread, Undone, wholeBuffer } from './thread.ts'

/** Up to here it takes 3 ms, measured, of which XML takes four times as much as lines do. */
export const MAX_AT_ONCE_BYTES = { lines: 128 * 1024, xml: 32 * 1024 } as const
/** A manifest of 16 MiB takes about two seconds. */
const JOB_TIMEOUT_MS = 20_000
const MAX_WAITING_BYTES = 64 * 1024 * 1024
/** Some twenty times the longest manifest, for XML of short elements. */
const MAX_HEAP_MEGABYTES = 512

/** Of a manifest whose addresses stay as they are. */
const NOWHERE = 'http://manifest.invalid/'

export class ManifestReader {
  readonly #book: AddressBook
  readonly #thread: Pick<Thread, 'run' | 'close'>
  #read = { here: 0, inThread: 0 }

  constructor(book: AddressBook, thread: Pick<Thread, 'run' | 'close'> = readingThread(book)) {
    this.#book = book
    this.#thread = thread
  }

  /** How many were read at once, and how many by the thread. */
  get read(): { readonly here: number; readonly inThread: number } {
    return this.#read
  }

  /** The bytes of the manuscript may be gone afterwards. Rejects with MANIFEST_UNREAD. */
  async edit(manuscript: Manuscript): Promise<Edition | BadManifest> {
    const { kind, bytes } = manuscript
    const isXml = kind === 'dash-mpd' || kind === 'dash-patch' || kind === 'dash-fragment'
    if (bytes.byteLength <= MAX_AT_ONCE_BYTES[isXml ? 'xml' : 'lines']) {
      this.#read = { ...this.#read, here: this.#read.here + 1 }
      return edit(this.#book, manuscript)
    }
    const answer = await this.#run({ task: 'edit', manuscript }, bytes, wholeBuffer(bytes))
    if (answer.kind !== 'edition') return { bad: answer.kind === 'bad' ? answer.bad : 'expected an edition' }
    const { edition, facts } = answer
    return { ...edition, facts: facts === undefined ? undefined : unpacked(facts) }
  }

  /** What a manifest says, in the words it has already. As `edit`. */
  async facts(kind: ManifestKind, bytes: Uint8Array): Promise<ManifestFacts | BadManifest> {
    const edition = await this.edit({ kind, bytes, fetched: NOWHERE, asked: '/', isOurs: false })
    if (isBad(edition)) return edition
    return edition.facts ?? { bad: 'expected a whole manifest, came a part of one' }
  }

  /** The delta update of a playlist; undefined: it offers none. Rejects with MANIFEST_UNREAD. */
  async skip(playlist: Uint8Array): Promise<Delta | undefined> {
    if (playlist.byteLength <= MAX_AT_ONCE_BYTES.lines) return skipped(playlist)
    const answer = await this.#run({ task: 'skip', bytes: playlist }, playlist, undefined)
    return answer.kind === 'delta' ? answer.delta : undefined
  }

  close(): Promise<void> {
    return this.#thread.close()
  }

  async #run(message: Task, { byteLength }: Uint8Array, given: ArrayBuffer | undefined): Promise<Done> {
    this.#read = { ...this.#read, inThread: this.#read.inThread + 1 }
    const transfer = given === undefined ? [] : [given]
    try {
      // What the thread makes of the task; the two are one program.
      return (await this.#thread.run({ message, transfer, bytes: byteLength })) as Done
    } catch (error) {
      if (!(error instanceof Undone)) throw error
      throw new RelaisError('MANIFEST_UNREAD', { details: error.message, cause: error, retryAfterSeconds: 1 })
    }
  }
}

function readingThread(book: AddressBook): Thread {
  // In dist it has the other ending, which the compiler does not know to be one here.
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  return new Thread({
    file: new URL(`./reading-thread${ending}`, import.meta.url),
    told: book.contents,
    jobTimeoutMs: JOB_TIMEOUT_MS,
    maxWaitingBytes: MAX_WAITING_BYTES,
    maxHeapMegabytes: MAX_HEAP_MEGABYTES,
  })
}
