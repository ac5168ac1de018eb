/** Reads the values that siblings tell each other, of which none is believed before it was looked at. */
import { isBadPurge, isCount, isRecord, type PurgeRule, readPurgeRule } from '../purge/purge-rule.ts'
import type { Positions, PurgeBatch } from './purge-log.ts'

/** No node has more issuers than that to tell of, twice what one keeps. */
const MAX_POSITIONS = 2_000

const ISSUER = /^[A-Za-z][A-Za-z0-9._:-]{0,127}$/

/** Undefined: it is none. */
export function readPositions(value: unknown): Positions | undefined {
  if (!isRecord(value)) return undefined
  const entries: [string, number][] = []
  for (const [issuer, sequence] of Object.entries(value)) {
    if (!ISSUER.test(issuer) || !isCount(sequence) || entries.length === MAX_POSITIONS) return undefined
    entries.push([issuer, sequence])
  }
  return Object.fromEntries(entries)
}

/** Undefined: it is none, or one of its rules is none. */
export function readBatch(value: unknown): PurgeBatch | undefined {
  if (!isRecord(value) || !Array.isArray(value.rules)) return undefined
  const floors = readPositions(value.floors)
  const rules: PurgeRule[] = []
  for (const one of value.rules) {
    const rule = readPurgeRule(one)
    if (isBadPurge(rule) || !ISSUER.test(rule.by)) return undefined
    rules.push(rule)
  }
  return floors === undefined ? undefined : { floors, rules }
}

/** Undefined: there is no JSON in it. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
