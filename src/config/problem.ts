/** What is wrong with a configuration: where, what was expected, what came. */

export interface Problem {
  /** `routes[0].origins[1]`, or the flag, the variable or the place in the file that it came from. */
  readonly path: string
  readonly expected: string
  readonly came: string
}

const SHOWN = 80

/** A value for `came`, cut where it is long, and without the credentials of URLs. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = (JSON.stringify(value) ?? String(value)).replace(/\/\/[^/@\s"]*@/g, '//…@')
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}

/** The same for what must not be seen in a terminal or a log. */
export function hidden(value: unknown): string {
  if (value === undefined) return 'nothing'
  return typeof value === 'string' ? `a string of ${value.length} characters` : typeof value
}

/** One line a problem, as it is printed. */
export function describeProblem({ path, expected, came }: Problem): string {
  return `${path}: expected ${expected}, came ${came}`
}
