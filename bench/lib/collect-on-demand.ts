/** Imported into a Relais that is measured: collects the garbage when told so, and answers what is resident then. */

process.on('message', () => {
  // What finalisers let go of is garbage for the next one.
  for (let time = 0; time < 4; time++) globalThis.gc?.()
  setImmediate(() => {
    globalThis.gc?.()
    process.send?.(process.memoryUsage.rss())
  })
})
