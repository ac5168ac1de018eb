/** On whose behalf slices are asked for, and of what. */
import type { RequestHead } from '../rfc/heads.ts'
import type { Sliced, StoredHead } from '../store/store.ts'
import type { Route } from './routes.ts'

export interface Claim {
  readonly route: Route
  readonly request: RequestHead
  readonly head: StoredHead
  readonly sliced: Sliced
  /** Whether somebody is about to ask for it who does not yet. */
  readonly isAhead?: boolean
}
