/** A cluster for tests: so many whole Relais in this process that know each other, with lines between them that can be cut. */
import type { TestContext } from 'node:test'
import { rank, wordsOf } from '../../src/siblings/rendezvous.ts'
import { memberOf } from '../../src/siblings/roster.ts'
import { until } from './barrier.ts'
import { type Link, openLink } from './link.ts'
import { openTestRelais, type TestOptions, type TestRelais } from './relais.ts'

export const SECRET = 'a secret that is long enough for siblings'

export interface TestSibling extends TestRelais {
  readonly id: string
  /** The line on which the others come to it. */
  readonly link: Link
  /** One second of this node: it says how it is, and looks who else did. */
  beat(): void
}

export interface TestSiblings {
  readonly nodes: readonly TestSibling[]
  /** The nodes in the order in which they are asked for a key, the owner first. */
  ranked(key: string): readonly TestSibling[]
  /** A target at the origin whose owner it is: `/object-17`. */
  ownedBy(node: TestSibling, origin: string, suffix?: string): string
  /** Another node in the place of this one, which is closed; the others do not hear of either before their next beat. */
  instead(node: TestSibling, cluster: Record<string, unknown>): Promise<TestSibling>
}

export interface SiblingsOptions extends TestOptions {
  /** What differs from node to node. */
  readonly more?: (index: number, urls: readonly string[]) => Record<string, unknown>
}

/** All have heard all before any is asked; they stop when the test ends. */
export async function openSiblings(
  t: Pick<TestContext, 'after'>,
  count: number,
  options: SiblingsOptions,
): Promise<TestSiblings> {
  const all: TestSibling[] = []
  // Before the lines between them go: each tells the others that it leaves.
  t.after(async () => {
    for (const { link } of all) link.heal()
    let left = false
    const closing = Promise.all(all.map((node) => node.close())).finally(() => {
      left = true
    })
    // A beat in which a question is still under way asks none, and that one may have come before.
    await until(() => {
      for (const node of all) node.beat()
      return left
    }, 'all have left')
    await closing
  })
  const links = await Promise.all(Array.from({ length: count }, () => openLink(t)))
  const urls = links.map(({ url }) => url)
  const idOf = (index: number): string => `node-${index}`
  const open = async (
    index: number,
    link: Link,
    differing: Record<string, unknown>,
  ): Promise<TestSibling> => {
    const { cluster, ...more } = options.more?.(index, urls) ?? {}
    let work = (): void => undefined
    const relais = await openTestRelais(t, {
      ...options,
      // All of them are one process here, which would be as busy as all of them.
      utilization: () => 0,
      pulse: (next) => {
        work = next
        return () => undefined
      },
      file: {
        node: idOf(index),
        ...options.file,
        cluster: {
          secret: SECRET,
          listen: { host: '127.0.0.1', port: 0 },
          siblings: urls.map((url, other) => ({ id: idOf(other), url })),
          // What a test says of it is an object as in the configuration.
          ...(cluster as Record<string, unknown> | undefined),
          ...differing,
        },
        ...more,
      },
    })
    link.leadTo(relais.peerUrl ?? '')
    const node = { ...relais, id: idOf(index), link, beat: () => work() }
    all.push(node)
    return node
  }
  const nodes = await Promise.all(links.map((link, index) => open(index, link, {})))
  await until(async () => {
    for (const node of nodes) node.beat()
    const stats = await Promise.all(nodes.map((node) => node.stats()))
    return stats.every(({ siblings }) => siblings.every(({ state }) => state === 'active'))
  }, 'all have heard all')
  const members = nodes.map(({ id }) => memberOf({ id, url: '' }))
  const ranked = (key: string): readonly TestSibling[] =>
    rank(members, wordsOf(key)).flatMap(({ id }) => nodes.filter((node) => node.id === id))
  return {
    nodes,
    ranked,
    ownedBy: (node, origin, suffix = '') => {
      for (let index = 0; ; index++) {
        const target = `/object-${index}${suffix}`
        if (ranked(origin + target)[0] === node) return target
      }
    },
    instead: async (node, cluster) => {
      // It is to be gone without a word: who leaves says so.
      const others = nodes.filter((other) => other !== node)
      for (const { link } of others) link.holdNews()
      node.link.cut()
      await node.close()
      for (const { link } of [node, ...others]) link.heal()
      return await open(nodes.indexOf(node), node.link, cluster)
    },
  }
}
