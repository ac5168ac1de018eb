/** What purges in force cost: nanoseconds for a hit that is compared with many of them. Run: node bench/purges.ts */
import { Rules } from '../src/cache/purges/rules.ts'
import type { StoredHead } from '../src/store/store.ts'

const ROUNDS = 2_000_000

function heads(count: number, mark: number): StoredHead[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ key: `http://origin.example/films/${index}/video/1.m4s`, status: 200, variant: {}, kind: 'segment' },
    fields: { 'surrogate-key': `film-${index} hd`, 'content-type': 'video/mp4' },
    freshness: {
      ...{ bornAt: 0, freshUntil: 1, staleWhileRevalidateUntil: 1, staleIfErrorUntil: 1 },
      ...{ mustValidate: false, immutable: false, explicit: true },
    },
    silent: { freshMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 },
    ...{ admission: 'always', storedAt: 0, mark },
  }))
}

function nsPerLook(rules: Rules, stored: readonly StoredHead[], between: (look: number) => void): number {
  const startedAt = process.hrtime.bigint()
  for (let look = 0; look < ROUNDS; look++) {
    between(look)
    const head = stored[look % stored.length]
    if (head !== undefined && rules.standing(head) === 'gone') throw new Error('nothing is purged here')
  }
  return Number(process.hrtime.bigint() - startedAt) / ROUNDS
}

function main(): void {
  const none = new Rules()
  const many = new Rules()
  for (let rule = 0; rule < 1000; rule++)
    many.put({ what: 'prefix', value: `http://origin.example/gone/${rule}/`, isSoft: true, mark: rule + 1 })
  const old = heads(1000, 0)
  const report = (what: string, ns: number): void => {
    process.stdout.write(`${what}: ${ns.toFixed(0)} ns a hit\n`)
  }
  report(
    'no purge',
    nsPerLook(none, old, () => undefined),
  )
  report(
    '1,000 prefixes, stored after them',
    nsPerLook(many, heads(1000, 1000), () => undefined),
  )
  report(
    '1,000 prefixes, stored before them',
    nsPerLook(many, old, () => undefined),
  )
  let mark = 1000
  // 100 purges a second at 20,000 hits a second.
  const perPurge = (put: () => void) => (look: number) => {
    if (look % 200 === 0) put()
  }
  const url = (): void => many.put({ what: 'key', value: `http://o/${mark}`, isSoft: false, mark: ++mark })
  const retired = (): void => {
    url()
    // As often as it is done for so many.
    if (mark % 32 === 0) many.retire(mark - 1000, 0)
  }
  report('the same, with an address purged every 200 hits', nsPerLook(many, old, perPurge(retired)))
  const fresh = process.hrtime.bigint()
  const first = heads(1000, 0)
  for (const head of first) many.standing(head)
  const us = Number(process.hrtime.bigint() - fresh) / 1000 / first.length
  process.stdout.write(`the first look at each: ${us.toFixed(0)} µs\n`)
}

main()
