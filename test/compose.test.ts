/** The container files hold together: no engine runs here, so each is read and held to what the others say. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { BlockList } from 'node:net'
import { extname } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { type Config, readConfig } from '../src/config.ts'
import { isManifest, kindOf } from '../src/media/kind.ts'
import { METRICS } from '../src/ops/metrics/catalogue.ts'
import { parseDuration } from '../src/quantities.ts'

const ROOT = new URL('../', import.meta.url)
const text = (name: string): string => readFileSync(new URL(name, ROOT), 'utf8')

interface Service {
  readonly image: string
  readonly build?: string
  readonly read_only?: boolean
  readonly command?: readonly string[]
  readonly volumes: readonly string[]
  readonly ports?: readonly string[]
  readonly expose?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly networks: readonly string[] | Readonly<Record<string, { readonly ipv4_address: string }>>
  readonly healthcheck: { readonly test: readonly string[] }
  readonly stop_grace_period?: string
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly networks: {
    readonly cluster: { readonly ipam: { readonly config: readonly [{ readonly subnet: string }] } }
  }
}

const compose = parse(text('docker-compose.yml'), { merge: true }) as Compose
const { services } = compose
const dockerfile = text('Dockerfile').replaceAll(/\\\n\s*/g, '')
const nginx = text('deploy/nginx.conf')
const manifest = JSON.parse(text('package.json')) as {
  version: string
  dependencies: Record<string, string>
  optionalDependencies: Record<string, string>
}

function service(name: string): Service {
  const found = services[name]
  assert.ok(found !== undefined, `there is a service ${name}`)
  return found
}

const nodes = Object.entries(services).filter(([, { build }]) => build !== undefined)

function instructions(name: string, of = dockerfile): string[] {
  return [...of.matchAll(new RegExp(`^${name} (.+)$`, 'gm'))].map(([, rest = '']) => rest)
}

const finalStage = dockerfile.slice(dockerfile.lastIndexOf('FROM '))

/** What compose makes of `${NAME:-default}` where the variable is not set. */
function unset(value: string): string {
  return value.replace(/\$\{[A-Z_]+:-([^}]*)\}/, '$1')
}

/** Arguments as the container is given them: each mounted file is read from where it lies here. */
function configIn(of: Service, argv: readonly string[] = command()): Config {
  const environment = Object.entries(of.environment ?? {}).map(([name, value]) => [name, unset(value)])
  const read = readConfig({
    argv,
    env: {
      XDG_CACHE_HOME: /XDG_CACHE_HOME=(\S+)/.exec(finalStage)?.[1],
      ...Object.fromEntries(environment),
    },
    hostname: 'container',
    homeDirectory: '/home/node',
    readFile: (path) => {
      const mount = mountsOf(of).find(({ target }) => target === path)
      assert.ok(mount !== undefined, `${path} is mounted`)
      return text(mount.source)
    },
  })
  assert.ok(read.kind === 'config', JSON.stringify(read))
  return read.config
}

function mountsOf({ volumes }: Service): { source: string; target: string; isReadOnly: boolean }[] {
  return volumes.map((volume) => {
    const [source = '', target = '', mode] = volume.split(':')
    return { source, target, isReadOnly: mode === 'ro' }
  })
}

function command(): string[] {
  const [written = ''] = instructions('CMD', finalStage)
  return JSON.parse(written) as string[]
}

test('three nodes have one configuration, each its own name, address, port and disk', () => {
  assert.equal(nodes.length, 3)
  const taken = new Set<string | undefined>()
  for (const [name, node] of nodes) {
    const { node: id, cluster, ops } = configIn(node)
    assert.equal(id, name)
    assert.equal(cluster?.url, `http://${name}:${cluster?.listen.port}`)
    assert.equal(cluster?.listen.host, '0.0.0.0')
    assert.equal(ops.token, null, 'a token that is set to nothing counts as none')
    assert.match(node.environment?.['RELAIS_OPS_TOKEN'] ?? '', /^\$\{RELAIS_OPS_TOKEN:-\}$/)
    assert.match(node.environment?.['RELAIS_CLUSTER_SECRET'] ?? '', /^\$\{RELAIS_CLUSTER_SECRET:-.{32,}\}$/)
    const [published] = node.ports ?? []
    const disk = mountsOf(node).find(({ isReadOnly }) => !isReadOnly)
    for (const own of [published, disk?.source]) {
      assert.ok(own !== undefined && !taken.has(own), own)
      taken.add(own)
    }
    // Siblings talk among themselves.
    assert.deepEqual(node.ports?.length, 1)
  }
})

test('Relais asks the origin and the NATS server of the same file, at the ports that they listen on', () => {
  const [port] = service('origin').expose ?? []
  assert.match(nginx, new RegExp(`listen ${port};`))
  const [natsPort] = service('nats').expose ?? []
  const nats = text('deploy/nats.conf')
  assert.match(nats, new RegExp(`^port: ${natsPort}$`, 'm'))
  for (const [, node] of nodes) {
    const { routes, cluster } = configIn(node)
    assert.deepEqual(
      routes.flatMap(({ origins }) => origins),
      [`http://origin:${port}/`],
    )
    assert.deepEqual(cluster?.nats?.servers, [`nats://nats:${natsPort}`])
    assert.deepEqual(Object.keys(node.depends_on ?? {}), ['origin', 'nats'])
  }
  const [stored = ''] = mountsOf(service('nats'))
    .map(({ target }) => target)
    .slice(-1)
  assert.match(nats, new RegExp(`store_dir: ${stored}$`, 'm'))
  assert.ok(service('nats').command?.includes(mountsOf(service('nats'))[0]?.target ?? ''))
})

test('the ports that are published are those that Relais listens on', () => {
  for (const [, node] of nodes) {
    const { listen, cluster } = configIn(node)
    assert.equal(node.ports?.[0]?.split(':').at(-1), String(listen.port))
    assert.equal(listen.host, '0.0.0.0')
    assert.deepEqual(instructions('EXPOSE', finalStage), [`${listen.port} ${cluster?.listen.port}`])
  }
})

test('only the volume of the cache is written to, and it is where the configuration puts the disk', () => {
  for (const [, node] of nodes) {
    const { disk } = configIn(node)
    const { disk: unsaid } = configIn({ ...node, environment: {} }, ['--origin', 'http://origin'])
    const writable = mountsOf(node).filter(({ isReadOnly }) => !isReadOnly)
    assert.deepEqual(
      writable.map(({ target }) => target),
      [disk.path],
    )
    assert.ok(writable.every(({ source }) => source in compose.volumes))
    assert.deepEqual(instructions('VOLUME', finalStage), [disk.path])
    assert.equal(unsaid.path, disk.path)
    assert.equal(node.read_only, true)
  }
  for (const name of ['origin', 'nats', 'prometheus']) assert.equal(service(name).read_only, true, name)
})

test('every path that is mounted from here is here, is mounted for reading only, and lies in a volume otherwise', () => {
  const mounts = Object.values(services).flatMap(mountsOf)
  assert.ok(mounts.length > 0)
  for (const { source, isReadOnly } of mounts) {
    if (source.startsWith('./')) assert.ok(existsSync(new URL(source, ROOT)), source)
    else assert.ok(source in compose.volumes, source)
    assert.equal(isReadOnly, source.startsWith('./'), source)
  }
})

test('images are pinned: Node to the version of the checkout, the rest to a whole version', () => {
  const { optionalDependencies } = manifest
  const [node] = new Set(Object.values(optionalDependencies))
  const bases = instructions('FROM').map((from) => from.split(' ')[0])
  assert.deepEqual([...new Set(bases)], [`node:${node}-bookworm-slim`])
  for (const { build, image } of Object.values(services)) {
    if (build !== undefined) assert.equal(image, `relais:${manifest.version}`)
    else assert.match(image, /^[a-z/]+:v?\d+\.\d+\.\d+(?:-[a-z]+)?$/)
  }
})

test('what the image is made of is here, and is let through to the engine', () => {
  const passed = text('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1))
  const copied = instructions('COPY')
    .filter((copy) => !copy.startsWith('--from='))
    .flatMap((copy) => copy.split(' ').slice(0, -1))
  for (const path of copied) assert.ok(existsSync(new URL(path, ROOT)), path)
  assert.deepEqual([...new Set(copied)].toSorted(), passed.toSorted())
})

test('the last stage has no tools, is not root, starts the launcher, and can speak to NATS', () => {
  assert.match(dockerfile, /npm ci --omit=dev --omit=optional/)
  assert.doesNotMatch(finalStage, /npm|--from=build \/app\/(?:node_modules|src)/)
  assert.deepEqual(instructions('USER', finalStage), ['node'])
  assert.deepEqual(instructions('ENTRYPOINT', finalStage), ['["node", "bin/relais.mjs"]'])
  assert.ok('@nats-io/transport-node' in manifest.dependencies)
})

test('health is asked of the port that Relais listens on, in the image and in the file', () => {
  const inImage = instructions('HEALTHCHECK', finalStage).map((check) =>
    check.slice(check.indexOf('CMD ') + 4),
  )
  const [image = []] = inImage.map((check) => ['CMD', ...(JSON.parse(check) as string[])])
  for (const [, node] of nodes) {
    const { port } = configIn(node).listen
    for (const [asked, path] of [
      [image, '/-/live'],
      [node.healthcheck.test, '/-/ready'],
    ] as const) {
      assert.deepEqual(asked.slice(0, -1), ['CMD', 'node', '-e'])
      const script = asked.at(-1) ?? ''
      assert.ok(script.includes(`http://127.0.0.1:${port}${path}'`), script)
      assert.doesNotThrow(() => new Function(script))
    }
  }
  assert.ok(service('origin').healthcheck.test.at(-1)?.endsWith('/health'))
  assert.match(nginx, /location = \/health/)
  const [monitor] = /127\.0\.0\.1:\d+/.exec(text('deploy/nats.conf')) ?? []
  assert.ok(service('nats').healthcheck.test.at(-1)?.includes(`http://${monitor}/`))
})

test('there is time to drain before the engine loses patience', () => {
  for (const [, node] of nodes) {
    const { http } = configIn(node)
    const patienceMs = parseDuration(node.stop_grace_period) ?? 0
    assert.ok(patienceMs > http.drainTimeout, `${patienceMs} ms for a drain of ${http.drainTimeout} ms`)
  }
})

test('Prometheus asks every node where it serves, from an address that each of them trusts, and nobody else is trusted', () => {
  const { scrape_configs: jobs } = parse(text('deploy/prometheus.yml')) as {
    scrape_configs: { static_configs: { targets: string[] }[] }[]
  }
  const targets = jobs.flatMap((job) => job.static_configs.flatMap((one) => one.targets))
  const { networks } = service('prometheus')
  const address = 'cluster' in networks ? networks.cluster?.ipv4_address : undefined
  const [{ subnet }] = compose.networks.cluster.ipam.config
  const block = new BlockList()
  const [base = '', bits] = subnet.split('/')
  block.addSubnet(base, Number(bits))
  assert.ok(address !== undefined && block.check(address), 'it has an address of the network')
  assert.deepEqual(
    targets,
    nodes.map(([name, node]) => `${name}:${configIn(node).listen.port}`),
  )
  for (const [, node] of nodes)
    assert.deepEqual(configIn(node).ops.trusted, ['127.0.0.0/8', '::1/128', address])
})

test('Grafana finds Prometheus and the dashboard, and the dashboard asks for nothing that is not there', () => {
  const { datasources } = parse(text('deploy/grafana/provisioning/datasources/prometheus.yml')) as {
    datasources: { uid: string; url: string }[]
  }
  const [port] = service('prometheus').ports?.[0]?.split(':').slice(-1) ?? []
  assert.deepEqual(
    datasources.map(({ url }) => url),
    [`http://prometheus:${port}`],
  )
  const { providers } = parse(text('deploy/grafana/provisioning/dashboards/relais.yml')) as {
    providers: { options: { path: string } }[]
  }
  const mounts = mountsOf(service('grafana'))
  const shown = mounts.find(({ source }) => source === './deploy/grafana/relais.json')?.target
  assert.ok(shown?.startsWith(`${providers[0]?.options.path}/`))
  assert.equal(service('grafana').environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'], shown)
  const { panels } = JSON.parse(text('deploy/grafana/relais.json')) as {
    panels: { title: string; datasource: { uid: string }; targets: { expr: string }[] }[]
  }
  const known = new Set(METRICS.map(({ name }) => name))
  assert.ok(panels.length > 10)
  for (const { title, datasource, targets } of panels) {
    assert.equal(datasource.uid, datasources[0]?.uid, title)
    for (const { expr } of targets) {
      const names = expr.match(/\b(?:relais|process)_[a-z_]+/g) ?? []
      assert.ok(names.length > 0, `${title}: ${expr}`)
      for (const name of names) assert.ok(known.has(name), `${title}: ${name}`)
    }
  }
})

test('the origin gives every fixture a type, and one by which Relais knows manifests', () => {
  const types = new Map<string, string>()
  for (const [, type = '', endings = ''] of nginx.matchAll(/^ {4}([a-z]+\/\S+) ([a-z0-9 ]+);$/gm)) {
    for (const ending of endings.split(' ')) types.set(ending, type)
  }
  const files = readdirSync(new URL('fixtures/', ROOT), { recursive: true, withFileTypes: true })
  const endings = new Set(files.filter((file) => file.isFile()).map(({ name }) => extname(name).slice(1)))
  assert.ok(endings.has('m3u8') && endings.has('mpd'))
  for (const ending of endings) {
    const type = types.get(ending)
    assert.ok(type !== undefined, `.${ending} has a type`)
    const byName = kindOf(`/x.${ending}`)
    if (isManifest(byName)) assert.equal(kindOf('/x', type), byName, `.${ending} is ${type}`)
  }
  assert.match(nginx, /add_header Access-Control-Allow-Origin "\*";/)
})
