/** Whether an answer made of slices can begin. */

/** How the slices of a request stand before its answer begins. */
export type Readiness =
  | { readonly kind: 'here' }
  /** Some must be asked for; `fwdStatus` is known when the very first bytes were among them. */
  | {
      readonly kind: 'asked'
      readonly isCollapsed: boolean
      readonly fwdStatus: number | undefined
      readonly kept: boolean | undefined
    }
  /** What was stored has been forgotten: look again. */
  | { readonly kind: 'forgotten' }
  | { readonly kind: 'refused' }
