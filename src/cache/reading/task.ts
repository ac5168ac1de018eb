/** What is done with a long manifest where it holds nobody up. */
import type { AddressBook } from '../../media/addresses/address-book.ts'
import { deltaOf } from '../../media/delta.ts'
import { type Edition, edit, etagOf, type Manuscript } from '../../media/edition.ts'
import type { BadManifest } from '../../media/facts.ts'

/** Plain data. */
export type Task =
  | { readonly task: 'edit'; readonly manuscript: Manuscript }
  | { readonly task: 'skip'; readonly bytes: Uint8Array }

/** A playlist without what may be skipped of it. */
export interface Delta {
  readonly bytes: Uint8Array
  readonly etag: string
}

/** Undefined: nothing may be skipped. */
export function done(book: AddressBook, task: Task): Edition | Delta | BadManifest | undefined {
  switch (task.task) {
    case 'edit':
      return edit(book, task.manuscript)
    case 'skip':
      return skipped(task.bytes)
  }
}

export function skipped(playlist: Uint8Array): Delta | undefined {
  const delta = deltaOf(Buffer.from(playlist.buffer, playlist.byteOffset, playlist.byteLength).toString())
  if (delta === undefined) return undefined
  const bytes = Buffer.from(delta)
  return { bytes, etag: etagOf(bytes) }
}
