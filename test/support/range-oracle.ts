/** What RFC 9110 section 14 asks of an answer to a Range, said once more and plainly: bit by bit, for small bodies. */
import assert from 'node:assert/strict'

/** What was sent: everything, nothing, or these parts (one of them: a plain 206). */
export type Sent = 'whole' | 'unsatisfiable' | readonly { readonly first: number; readonly last: number }[]

/** Gaps up to here may be sent along (RFC 9110 section 15.3.7.2). */
const GAP = 80

const MAX = BigInt(Number.MAX_SAFE_INTEGER)

/**
 * Throws when `sent` is not what the Range field asks of a body of `size` bytes. The parts of one that is on its way may
 * also ascend.
 */
export function assertObeyed(range: string, size: number, sent: Sent, isOnItsWay = false): void {
  const shown = `"${range}" of ${size} bytes got ${JSON.stringify(sent)}`
  const asked = positions(range, size)
  if (asked === undefined || asked.length > 8) {
    assert.equal(sent, 'whole', shown)
    return
  }
  const met = asked.filter((one) => one.length > 0)
  if (size === 0 && /-0*[1-9]\d*\s*(?:,|$)/.test(range) && met.length === 0 && sent === 'whole') return
  if (met.length === 0) {
    assert.equal(sent, 'unsatisfiable', shown)
    return
  }
  if (sharing(met) > 2) {
    assert.equal(sent, 'whole', shown)
    return
  }
  assert.ok(typeof sent === 'object' && sent.length > 0 && sent.length <= met.length, shown)
  const count = new Uint8Array(size)
  for (const { first, last } of sent) for (let at = first; at <= last; at++) count[at] = (count[at] ?? 0) + 1
  const wanted = new Set(met.flat())
  for (let at = 0; at < size; at++) {
    assert.ok((count[at] ?? 0) <= 1, `byte ${at} was sent twice: ${shown}`)
    if (wanted.has(at)) assert.equal(count[at], 1, `byte ${at} was not sent: ${shown}`)
    else if (count[at] === 1) assert.ok(isInGap(wanted, at), `byte ${at} was not asked for: ${shown}`)
  }
  // The parts stand in the order in which the first byte of each was asked for.
  const places = sent.map(({ first, last }) =>
    met.findIndex((one) => one.some((at) => at >= first && at <= last)),
  )
  const isAscending = sent.every(({ first }, index) => index === 0 || first > (sent[index - 1]?.first ?? 0))
  if (isOnItsWay && isAscending) return
  const inOrder = places.toSorted((one, other) => one - other)
  assert.deepEqual(places, inOrder, shown)
}

/** By range the bytes it names, none for one that is beyond the end; undefined: not a valid Range of bytes. */
function positions(range: string, size: number): number[][] | undefined {
  const set = /^bytes=(.*)$/is.exec(range)?.[1]
  if (set === undefined) return undefined
  const members = set.split(',').map((one) => one.replace(/^[ \t]+|[ \t]+$/g, ''))
  const specs = members.filter((one) => one !== '')
  const all = Array.from({ length: size }, (_, at) => at)
  const named: number[][] = []
  for (const spec of specs) {
    const [, first = '', last = ''] = /^(\d*)-(\d*)$/.exec(spec) ?? []
    if (first === '' && last === '') return undefined
    // Documented: what is beyond 2^53-1 is read as 2^53-1.
    if (first !== '' && last !== '' && readable(first) > readable(last)) return undefined
    if (first === '') named.push(all.filter((at) => BigInt(at) >= BigInt(size) - BigInt(last)))
    else named.push(all.filter((at) => at >= Number(first) && (last === '' || at <= Number(last))))
  }
  return named.length === 0 ? undefined : named
}

function readable(digits: string): bigint {
  const number = BigInt(digits)
  return number > MAX ? MAX : number
}

function sharing(sets: readonly number[][]): number {
  return sets.filter((one, index) => {
    const own = new Set(one)
    return sets.some((other, place) => place !== index && other.some((at) => own.has(at)))
  }).length
}

/** Whether bytes that were asked for lie on both sides, no further apart than a gap. */
function isInGap(wanted: ReadonlySet<number>, at: number): boolean {
  let before = at
  while (!wanted.has(before) && before >= 0) before--
  let after = at
  while (!wanted.has(after) && after < at + GAP) after++
  return before >= 0 && wanted.has(after) && after - before <= GAP
}
