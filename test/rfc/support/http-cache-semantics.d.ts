/** What is used of http-cache-semantics, which brings no types of its own. */
declare module 'http-cache-semantics' {
  type Headers = Readonly<Record<string, string>>

  export default class CachePolicy {
    constructor(
      request: { readonly method: string; readonly url: string; readonly headers: Headers },
      response: { readonly status: number; readonly headers: Headers },
      options: { readonly shared: boolean },
    )
    /** Milliseconds since the epoch; called by the constructor too. */
    now(): number
    storable(): boolean
    stale(): boolean
  }
}
