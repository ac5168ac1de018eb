/** Range fields for fast-check: sound ones, ones at the edges of a body, and ones that are nearly sound. */
import fc from './properties.ts'

/** Fields about a body of `size` bytes, with up to ten ranges. */
export function rangeFields(size: number): fc.Arbitrary<string> {
  const near = fc.constantFrom(0, 1, size - 2, size - 1, size, size + 1, 2 ** 53 - 1, 2 ** 53).map(String)
  const place = fc.oneof(
    { weight: 6, arbitrary: fc.nat(size + 5).map(String) },
    { weight: 2, arbitrary: near },
    { weight: 1, arbitrary: fc.constantFrom('9'.repeat(40), '007', '18446744073709551616') },
  )
  const short = fc.tuple(fc.nat(size), fc.nat(60)).map(([first, length]) => `${first}-${first + length}`)
  const ordered = fc
    .tuple(fc.nat(size), fc.nat(size))
    .map(([one, other]) => `${Math.min(one, other)}-${Math.max(one, other)}`)
  const spec = fc.oneof(
    { weight: 6, arbitrary: short },
    { weight: 4, arbitrary: ordered },
    { weight: 2, arbitrary: place.map((first) => `${first}-`) },
    { weight: 2, arbitrary: place.map((suffix) => `-${suffix}`) },
    { weight: 2, arbitrary: fc.tuple(place, place).map(([first, last]) => `${first}-${last}`) },
    { weight: 1, arbitrary: fc.constantFrom('', '-', 'a-b', '1-2-3', '--1', '+1-2', '0x1-2', '1 - 2', ' ') },
  )
  const comma = fc.constantFrom(',', ', ', ' ,\t', ',,')
  return fc
    .tuple(
      fc.oneof(
        { weight: 12, arbitrary: fc.constant('bytes=') },
        { weight: 1, arbitrary: fc.constantFrom('Bytes=', 'bytes =', 'lines=', 'bytes', '') },
      ),
      fc.oneof(
        { weight: 2, arbitrary: fc.array(spec, { minLength: 1, maxLength: 1 }) },
        { weight: 3, arbitrary: fc.array(spec, { minLength: 2, maxLength: 4 }) },
        { weight: 2, arbitrary: fc.array(short, { minLength: 2, maxLength: 10 }) },
      ),
      comma,
    )
    .map(([unit, specs, between]) => unit + specs.join(between))
}
