/** Long lists are gone through in turns of the event loop. */

const IN_ONE_TURN = 256

/** However many there are, nobody waits for more than some of them. */
export async function inTurns<Item>(items: Iterable<Item>, each: (item: Item) => void): Promise<void> {
  let done = 0
  for (const item of items) {
    each(item)
    if (++done % IN_ONE_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}
