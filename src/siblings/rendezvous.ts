/**
 * Who fills what: weighted rendezvous hashing over the canonical cache key.
 *
 * Each member scores each key, and the highest score owns it. A member that joins takes only the keys it scores highest
 * for, and the one it takes a key from is then the runner-up; a member that leaves gives each of its keys to their
 * runners-up. Nothing else moves. All members with the same roster choose alike, whatever their order.
 */
import { hash } from 'node:crypto'

/**
 * The name of exactly this arithmetic. It is in the digest of the roster and on each message, so that two releases that
 * choose differently cannot disagree unnoticed.
 */
export const ALGORITHM = 'hrw1'

/** Two unsigned 32-bit words of a hash. */
export interface Words {
  readonly x: number
  readonly y: number
}

/** What decides over a member's scores. */
export interface Scored {
  readonly id: string
  /** Its share of the keys in proportion to the others, above 0. */
  readonly weight: number
  /** `memberWords(id)`. */
  readonly words: Words
}

/** The first two words of the SHA-256 that a key has on disk as well. */
export function wordsOf(key: string): Words {
  const bytes = hash('sha256', key, 'buffer')
  return { x: bytes.readUInt32BE(0), y: bytes.readUInt32BE(4) }
}

/** Of the configured id, never of an address or a place in a list: those change, and all keys would move. */
export function memberWords(id: string): Words {
  return wordsOf(`node\0${id}`)
}

/** All members, the owner first. Neither the order of `members` nor that of the answer's equals matters: ids decide. */
export function rank<M extends Scored>(members: readonly M[], words: Words): readonly M[] {
  return members
    .map((member) => ({ member, score: scoreOf(member, words) }))
    .sort((one, other) => other.score - one.score || (one.member.id < other.member.id ? -1 : 1))
    .map(({ member }) => member)
}

/**
 * A number from 0 up to 1 that is the same for a key on every node, for decisions that only some keys are to take.
 * Different purposes take different salts, else the same keys would be chosen each time.
 */
export function fractionOf({ x, y }: Words, salt: number): number {
  return mix(y ^ mix(x ^ salt)) / 2 ** 32
}

/** -w / ln(u), with u evenly spread over 53 bits: shares are exactly as the weights. */
function scoreOf({ weight, words }: Scored, { x, y }: Words): number {
  const high = mix(x ^ words.x)
  const low = mix(y ^ words.y ^ high)
  return -weight / Math.log((high * 2 ** 21 + (low >>> 11) + 0.5) / 2 ** 53)
}

/** The finaliser of MurmurHash3: each bit of the result depends on each bit of the input. */
function mix(word: number): number {
  const a = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return (b ^ (b >>> 16)) >>> 0
}
