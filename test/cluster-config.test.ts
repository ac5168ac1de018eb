/** The configuration of a cluster: what is wrong with it is said before anything starts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeConfig } from '../src/config.ts'
import { configOf, type Given, problemsOf, routed } from './support/configured.ts'

const SECRET = 'a secret of at least 32 characters'
const SIBLINGS = [
  { id: 'paris-1', url: 'http://10.0.0.1:8090' },
  { id: 'paris-2', url: 'http://10.0.0.2:8090' },
]

const clustered = (more: object, node: string | undefined = 'paris-1'): Given => ({
  file: routed({
    ...(node === undefined ? {} : { node }),
    cluster: { secret: SECRET, listen: { host: '10.0.0.1' }, siblings: SIBLINGS, ...more },
  }),
})

test('a list of siblings and a secret are a cluster', () => {
  const { cluster } = configOf(clustered({}))
  assert.deepEqual(cluster, {
    name: 'relais',
    secret: SECRET,
    acceptedSecret: null,
    url: null,
    publicUrl: null,
    zone: null,
    parentZone: null,
    weight: null,
    capacity: 10_000,
    maxRequests: 4096,
    listen: { host: '10.0.0.1', port: 8090 },
    siblings: SIBLINGS.map((sibling) => ({ ...sibling, zone: null, weight: 1, publicUrl: null })),
  })
})

test('secrets of a cluster are taken from the environment, and never printed', () => {
  const nats = { servers: ['nats://10.0.0.9:4222'] }
  const given = clustered({ secret: undefined, siblings: undefined, nats })
  const env = {
    RELAIS_CLUSTER_SECRET: SECRET,
    RELAIS_NATS_PASSWORD: 'pass-word',
    RELAIS_NATS_TOKEN: 'to-ken',
  }
  const config = configOf({ ...given, env })
  assert.equal(config.cluster?.secret, SECRET)
  assert.equal(config.cluster?.nats?.password, 'pass-word')
  const printed = describeConfig(config)
  for (const secret of Object.values(env)) assert.ok(!printed.includes(secret), secret)
})

test('a secret that is too short is a problem, and is not shown', () => {
  const secret = 'thirty-one characters, not more'
  assert.equal(secret.length, 31)
  assert.deepEqual(problemsOf(clustered({ secret })), [
    'cluster.secret: expected a string of at least 32 characters, came a string of 31 characters',
  ])
})

test('a cluster without a secret, or without a place to listen, is a problem', () => {
  assert.deepEqual(problemsOf(clustered({ secret: undefined, listen: undefined })), [
    'cluster.secret: expected a string of at least 32 characters, came nothing',
    'cluster.listen: expected an object, came nothing',
  ])
})

test('two siblings with one id or one address are a problem', () => {
  const siblings = [...SIBLINGS, { id: 'paris-2', url: 'http://10.0.0.1:8090/' }]
  assert.deepEqual(problemsOf(clustered({ siblings })), [
    'cluster.siblings[2].id: expected a name that no other sibling has, came "paris-2" again',
    'cluster.siblings[2].url: expected a URL that no other sibling has, came "http://10.0.0.1:8090" again',
  ])
})

test('in a cluster a node is named by its operator', () => {
  assert.deepEqual(
    problemsOf({
      file: routed({ cluster: { secret: SECRET, listen: { host: '::1' }, siblings: SIBLINGS } }),
    }),
    ['node: expected a name for this node that stays, as there is a cluster, came nothing'],
  )
  const { file } = clustered({}, undefined)
  assert.equal(configOf({ file, env: { RELAIS_NODE: 'paris-7' } }).node, 'paris-7')
})

test('one way to find the siblings is chosen', () => {
  const dns = { name: 'relais.example' }
  const nats = { servers: ['nats://10.0.0.9:4222'] }
  for (const [more, came] of [
    [{ siblings: [] }, 'none of them'],
    [{ siblings: [], dns, nats }, 'dns and nats'],
    [{ dns }, 'siblings and dns'],
    [{ nats }, 'siblings and nats'],
  ] as const) {
    assert.deepEqual(problemsOf(clustered(more)), [
      `cluster: expected one of siblings, dns, nats to say who the others are, came ${came}`,
    ])
  }
  assert.equal(configOf(clustered({ siblings: [], dns })).cluster?.dns?.every, 10_000)
  assert.deepEqual(configOf(clustered({ siblings: [], nats })).cluster?.nats?.servers, nats.servers)
})

test('siblings who find each other on NATS can be told where this node is', () => {
  const nats = { servers: ['nats://10.0.0.9:4222'] }
  for (const listen of [{ host: '0.0.0.0' }, { host: '10.0.0.1', port: 0 }]) {
    const [problem, ...others] = problemsOf(clustered({ siblings: [], nats, listen }))
    assert.match(
      problem ?? '',
      /^cluster.url: expected a URL where siblings reach this node, came null, and /,
    )
    assert.deepEqual(others, [])
    configOf(clustered({ siblings: [], nats, listen, url: 'http://10.0.0.1:8090' }))
  }
})

test('credentials have no place in the URL of a NATS server', () => {
  for (const server of ['nats://me:secret@host:4222', 'http://host:4222', 'nats://host:4222/path']) {
    const [problem] = problemsOf(clustered({ siblings: [], nats: { servers: [server] } }))
    assert.match(
      problem ?? '',
      /^cluster.nats.servers\[0\]: expected a URL of scheme nats or tls, host and port/,
    )
    assert.ok(!problem?.includes('secret'))
  }
})

test('the accepted secret is another one', () => {
  assert.deepEqual(problemsOf(clustered({ acceptedSecret: SECRET })), [
    'cluster.acceptedSecret: expected another one than cluster.secret, came the same',
  ])
})
