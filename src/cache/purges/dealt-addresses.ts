/** The addresses of a stream, dealt out to rules that siblings take and every message between them carries. */
import { isBadPurge, readPurgeOrder } from '../../purge/purge-rule.ts'

/** A stream goes by so many addresses a rule, of so many characters. */
const IN_ONE_RULE = 500
const CHARACTERS_IN_ONE_RULE = 128 * 1024

/** Whether a rule can hold it. One that does not has siblings refuse its rule, and all that come after that. */
export function isSayable(target: string): boolean {
  return !isBadPurge(readPurgeOrder({ kind: 'url', values: [target], soft: false }))
}

/** Each as long as a rule may be, and at least one address. */
export function* inRules(targets: readonly string[]): Generator<readonly string[]> {
  let values: string[] = []
  let characters = 0
  for (const target of targets) {
    const isFull = values.length === IN_ONE_RULE || characters + target.length > CHARACTERS_IN_ONE_RULE
    if (isFull && values.length > 0) {
      yield values
      values = []
      characters = 0
    }
    values.push(target)
    characters += target.length
  }
  if (values.length > 0) yield values
}
