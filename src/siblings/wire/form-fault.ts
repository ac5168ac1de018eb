/** What is not in the form that siblings speak in. */

/** So much of what came is shown. */
const SHOWN = 60

export class FormFault extends Error {
  readonly isTooLarge: boolean

  /** `came` is shown as far as it is short. */
  constructor(expected: string, came: string, isTooLarge = false) {
    const shown = came.length > SHOWN ? `${came.slice(0, SHOWN)}…` : came
    super(`expected ${expected}, came ${JSON.stringify(shown)}`)
    this.isTooLarge = isTooLarge
  }
}
