/** As viewers ask: few things are wanted by nearly all, most by nearly nobody. */

/** Ranks from 0 on, of `objects`: that of rank r is wanted 1/(r+1)^`exponent` as often as the first. */
export function zipf(objects: number, exponent: number, random: () => number): () => number {
  const upTo = new Float64Array(objects)
  let sum = 0
  for (let rank = 0; rank < objects; rank++) {
    sum += (rank + 1) ** -exponent
    upTo[rank] = sum
  }
  return () => {
    const wanted = random() * sum
    let low = 0
    let high = objects - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((upTo[middle] ?? 0) < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}
