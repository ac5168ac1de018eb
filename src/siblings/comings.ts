/** Says in the log who of the siblings comes and goes, each time: that one is silent is said once in a while only. */
import type { Roster } from './roster.ts'

/** One line a change; a sibling changes no more often than once in some seconds. Returns how to stop that. */
export function tellComings(roster: Roster, log: { info(about: object, line: string): void }): () => void {
  let before = statesOf(roster)
  return roster.onChange(() => {
    const now = statesOf(roster)
    for (const [sibling, state] of now) {
      const was = before.get(sibling)
      if (was !== state) log.info({ sibling, state, was }, `${sibling} is ${state}`)
    }
    before = now
  })
}

function statesOf(roster: Roster): ReadonlyMap<string, string> {
  const others = roster.members().filter(({ id }) => id !== roster.self.id)
  return new Map(others.map(({ id, state }) => [id, state]))
}
