/** What a purge came to, and what all of them did. */

/** What came of a purge. */
export interface Applied {
  /** Of the last rule that it took. */
  readonly sequence: number
  readonly by: string
  /** False: it had been applied before. */
  readonly isNew: boolean
  /** Addresses of which something was deleted, or of wide purges responses in memory; the disk is gone through after that. */
  readonly deleted: number
  /** Addresses that a stream was found to have. */
  readonly listed?: number
  /** False: a stream has more than is looked through. */
  readonly isComplete?: boolean
  /** False: a restart may bring it back, for the disk does not take notes. */
  readonly isSaved: boolean
}

export interface PurgeStats {
  /** Given out here. */
  readonly issued: number
  /** Given out elsewhere, and applied. */
  readonly received: number
  readonly deleted: number
  /** In force, until all that they cover is deleted; soft ones until they are merged. */
  readonly rules: number
  readonly merged: number
  readonly sweeps: number
  readonly unsaved: number
}
