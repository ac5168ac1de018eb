/** Delta updates of playlists (_HLS_skip), made of what is stored, once a version. */
import { responseDirectives } from '../rfc/cache-control.ts'
import { omitFields } from '../rfc/connection.ts'
import type { StoredHead, StoredResponse } from '../store/store.ts'
import { WholeBody } from '../store/whole-body.ts'
import type { ManifestReader } from './reading/manifest-reader.ts'

/** What speaks of other bytes than those of the delta update. */
const OF_THE_WHOLE: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-length',
  'content-md5',
  'digest',
  'etag',
  'last-modified',
  'repr-digest',
])

export class Deltas {
  readonly #manifests: ManifestReader
  /** The playlist itself where nothing may be skipped of it. */
  readonly #made = new WeakMap<StoredHead, StoredResponse>()
  readonly #making = new WeakMap<StoredHead, Promise<StoredResponse>>()

  constructor(manifests: ManifestReader) {
    this.#manifests = manifests
  }

  /** What is made already; undefined: ask `of`. */
  made(playlist: StoredResponse): StoredResponse | undefined {
    return this.#made.get(playlist.head)
  }

  /** The delta update, or the playlist itself where its origin offers none. Rejects when its body cannot be read. */
  of(playlist: StoredResponse): Promise<StoredResponse> {
    const { head } = playlist
    const begun = this.#making.get(head)
    if (begun !== undefined) return begun
    const making = this.#make(playlist)
    this.#making.set(head, making)
    making.then(
      (made) => this.#made.set(head, made),
      () => this.#making.delete(head),
    )
    return making
  }

  async #make(playlist: StoredResponse): Promise<StoredResponse> {
    const { head, body } = playlist
    // RFC 9110 section 7.7: then it is not ours to leave anything out.
    if (head.status !== 200 || responseDirectives(head.fields).directives.noTransform) return playlist
    const bytes = Buffer.concat(body.chunks ?? (await Array.fromAsync(body.read())))
    const delta = await this.#manifests.skip(bytes)
    if (delta === undefined) return playlist
    const fields = { ...omitFields(head.fields, OF_THE_WHOLE), etag: delta.etag }
    return { head: { ...head, fields }, body: new WholeBody([delta.bytes]) }
  }
}
