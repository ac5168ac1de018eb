/** What of a cluster no schema can say: that names differ, that one way to find siblings is chosen, and this node can be found. */
import { type Problem, shown } from './problem.ts'
import { repeated } from './routes.ts'
import { isObject } from './settle.ts'

const WAYS = ['siblings', 'dns', 'nats'] as const

/** Looks at a cluster as it was written, of which some may be wrong in other ways. `node`: undefined, where nobody wrote one. */
export function problemsOfCluster(cluster: unknown, node: unknown): Problem[] {
  if (!isObject(cluster)) return []
  const siblings = Array.isArray(cluster.siblings) ? cluster.siblings.filter(isObject) : []
  return [
    ...problemsOfName(node),
    ...repeated(
      siblings.map(({ id }) => (typeof id === 'string' ? id : undefined)),
      (index) => `cluster.siblings[${index}].id`,
      'a name that no other sibling has',
    ),
    ...repeated(
      siblings.map(({ url }) => addressOf(url)),
      (index) => `cluster.siblings[${index}].url`,
      'a URL that no other sibling has',
    ),
    ...problemsOfWays(cluster, siblings),
    ...problemsOfSecrets(cluster),
    ...problemsOfAddress(cluster),
  ]
}

/** The host name would do until the machine gets another one: then all keys of this node would move. */
function problemsOfName(node: unknown): Problem[] {
  if (node !== undefined) return []
  return [
    { path: 'node', expected: 'a name for this node that stays, as there is a cluster', came: 'nothing' },
  ]
}

function problemsOfWays(
  cluster: Readonly<Record<string, unknown>>,
  siblings: readonly Readonly<Record<string, unknown>>[],
): Problem[] {
  const chosen = WAYS.filter((way) => (way === 'siblings' ? siblings.length > 0 : cluster[way] !== undefined))
  if (chosen.length === 1) return []
  const came = chosen.length === 0 ? 'none of them' : chosen.join(' and ')
  return [{ path: 'cluster', expected: `one of ${WAYS.join(', ')} to say who the others are`, came }]
}

function problemsOfSecrets({ secret, acceptedSecret }: Readonly<Record<string, unknown>>): Problem[] {
  if (typeof acceptedSecret !== 'string' || acceptedSecret !== secret) return []
  return [{ path: 'cluster.acceptedSecret', expected: 'another one than cluster.secret', came: 'the same' }]
}

/** A list says where this node is, and an address that DNS has is one that can be reached; on NATS nobody else knows. */
function problemsOfAddress({ nats, url, listen }: Readonly<Record<string, unknown>>): Problem[] {
  if (nats === undefined || typeof url === 'string' || !isObject(listen)) return []
  if (listen.host !== '0.0.0.0' && listen.host !== '::' && listen.port !== 0) return []
  const came = `null, and cluster.listen is ${shown(listen.host)} port ${shown(listen.port)}`
  return [{ path: 'cluster.url', expected: 'a URL where siblings reach this node', came }]
}

function addressOf(url: unknown): string | undefined {
  return typeof url === 'string' ? URL.parse(url)?.origin : undefined
}
