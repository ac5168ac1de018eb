/** What is done with a long manifest where it holds nobody up. */
import type { AddressBook } from '../../media/addresses/address-book.ts'
import { deltaOf } from '../../media/delta.ts'
import { type Edition, edit, etagOf, type Manuscript } from '../../media/edition.ts'
import { isBad } from '../../media/facts.ts'
import { type PackedFacts, packed } from '../../media/packed-timelines.ts'

/** Plain data. */
export type Task =
  | { readonly task: 'edit'; readonly manuscript: Manuscript }
  | { readonly task: 'skip'; readonly bytes: Uint8Array }

/** A playlist without what may be skipped of it. */
export interface Delta {
  readonly bytes: Uint8Array
  readonly etag: string
}

/** What comes of a task, on its way from the thread: plain data. */
export type Done =
  | { readonly kind: 'edition'; readonly edition: Edition; readonly facts: PackedFacts | undefined }
  | { readonly kind: 'delta'; readonly delta: Delta | undefined }
  | { readonly kind: 'bad'; readonly bad: string }

/** Never throws for what stands in the manifest. */
export function done(book: AddressBook, task: Task): Done {
  switch (task.task) {
    case 'edit': {
      const edition = edit(book, task.manuscript)
      if (isBad(edition)) return { kind: 'bad', bad: edition.bad }
      const facts = edition.facts === undefined ? undefined : packed(edition.facts)
      return { kind: 'edition', edition: { ...edition, facts: undefined }, facts }
    }
    case 'skip':
      return { kind: 'delta', delta: skipped(task.bytes) }
  }
}

/** The bytes that need not be copied on the way. */
export function bytesOf(answer: Done): Uint8Array | undefined {
  return answer.kind === 'edition' ? answer.edition.bytes : undefined
}

/** Undefined: nothing may be skipped. */
export function skipped(playlist: Uint8Array): Delta | undefined {
  const delta = deltaOf(Buffer.from(playlist.buffer, playlist.byteOffset, playlist.byteLength).toString())
  if (delta === undefined) return undefined
  const bytes = Buffer.from(delta)
  return { bytes, etag: etagOf(bytes) }
}
