/** What the tests use of a package that comes without types. */
declare module 'mpd-parser' {
  interface Playlist {
    readonly segments: readonly { readonly uri: string }[]
  }
  export function parse(
    text: string,
    options: { readonly NOW: number },
  ): { readonly playlists: readonly Playlist[] }
}
