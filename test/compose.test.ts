/** The container files hold together: no engine runs here, so each is read and held to what the others say. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { test } from 'node:test'
import { type Config, readConfig } from '../src/config.ts'
import { isManifest, kindOf } from '../src/media/kind.ts'
import { parseDuration } from '../src/quantities.ts'

const ROOT = new URL('../', import.meta.url)
const text = (name: string): string => readFileSync(new URL(name, ROOT), 'utf8')

type Yaml = string | readonly Yaml[] | { readonly [key: string]: Yaml }

interface Service {
  readonly image: string
  readonly build?: string
  readonly read_only?: string
  readonly volumes: readonly string[]
  readonly ports?: readonly string[]
  readonly expose?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly healthcheck: { readonly test: readonly string[] }
  readonly stop_grace_period?: string
}

interface Compose {
  readonly services: Readonly<Record<'origin' | 'relais', Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

interface Line {
  readonly indent: number
  readonly text: string
}

/** As much of YAML as docker-compose.yml is written in: maps, lists, lists on one line, and scalars, all as strings. */
function readYaml(source: string): Yaml {
  const lines = source
    .split('\n')
    .map((line) => ({ indent: line.search(/\S|$/), text: line.trim() }))
    .filter((line) => line.text !== '' && !line.text.startsWith('#'))
  const value = block(lines, 0)
  assert.deepEqual(lines, [], 'read to its end')
  return value
}

function block(lines: Line[], indent: number): Yaml {
  const list: Yaml[] = []
  const map: Record<string, Yaml> = {}
  for (let line = lines[0]; line !== undefined && line.indent === indent; line = lines[0]) {
    lines.shift()
    if (line.text.startsWith('- ')) {
      list.push(scalar(line.text.slice(2)))
      continue
    }
    const [, key, rest = ''] = /^([\w-]+):(?: (.*))?$/.exec(line.text) ?? []
    assert.ok(key !== undefined, `a key or an entry of a list was expected, came ${line.text}`)
    const next = lines[0]
    map[key] =
      rest !== '' ? scalar(rest) : next !== undefined && next.indent > indent ? block(lines, next.indent) : ''
  }
  return list.length > 0 ? list : map
}

function scalar(written: string): Yaml {
  if (written.startsWith('[')) return written.slice(1, -1).split(', ').map(unquoted)
  return unquoted(written)
}

function unquoted(written: string): string {
  return written.replace(/^"(.*)"$/, '$1')
}

const compose = readYaml(text('docker-compose.yml')) as unknown as Compose
const { origin, relais } = compose.services
const dockerfile = text('Dockerfile').replaceAll(/\\\n\s*/g, '')
const nginx = text('deploy/nginx.conf')
const manifest = JSON.parse(text('package.json')) as {
  version: string
  optionalDependencies: Record<string, string>
}

function instructions(name: string, of = dockerfile): string[] {
  return [...of.matchAll(new RegExp(`^${name} (.+)$`, 'gm'))].map(([, rest = '']) => rest)
}

const finalStage = dockerfile.slice(dockerfile.lastIndexOf('FROM '))

/** Arguments as the container is given them: each mounted file is read from where it lies here. */
function configIn(service: Service, argv: readonly string[]): Config {
  const read = readConfig({
    argv,
    env: { XDG_CACHE_HOME: /XDG_CACHE_HOME=(\S+)/.exec(finalStage)?.[1], ...service.environment },
    hostname: 'container',
    homeDirectory: '/home/node',
    readFile: (path) => {
      const mount = mountsOf(service).find(({ target }) => target === path)
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

test('the mounted configuration is valid, and a token that is set to nothing counts as none', () => {
  const config = configIn({ ...relais, environment: { RELAIS_OPS_TOKEN: '' } }, command())
  assert.equal(config.ops.token, null)
  assert.deepEqual(Object.keys(relais.environment ?? {}), ['RELAIS_OPS_TOKEN'])
  assert.match(relais.environment?.RELAIS_OPS_TOKEN ?? '', /^\$\{RELAIS_OPS_TOKEN:-\}$/)
})

test('Relais asks the origin of the same file, at the port that it listens on', () => {
  const config = configIn({ ...relais, environment: {} }, command())
  const [port] = origin.expose ?? []
  assert.deepEqual(
    config.routes.flatMap(({ origins }) => origins),
    [`http://origin:${port}/`],
  )
  assert.match(nginx, new RegExp(`listen ${port};`))
  assert.ok(relais.depends_on !== undefined && 'origin' in relais.depends_on)
})

test('the port that is published is the one that Relais listens on', () => {
  const { host, port } = configIn({ ...relais, environment: {} }, command()).listen
  assert.deepEqual(relais.ports, [`${port}:${port}`])
  assert.equal(host, '0.0.0.0')
  assert.deepEqual(instructions('EXPOSE', finalStage), [String(port)])
})

test('only the volume of the cache is written to, and it is where the configuration puts the disk', () => {
  const { disk } = configIn({ ...relais, environment: {} }, command())
  const { disk: unsaid } = configIn({ ...relais, environment: {} }, ['--origin', 'http://origin'])
  const writable = mountsOf(relais).filter(({ isReadOnly }) => !isReadOnly)
  assert.deepEqual(
    writable.map(({ target }) => target),
    [disk.path],
  )
  assert.ok(writable.every(({ source }) => source in compose.volumes))
  assert.deepEqual(instructions('VOLUME', finalStage), [disk.path])
  assert.equal(unsaid.path, disk.path)
  for (const service of [origin, relais]) assert.equal(service.read_only, 'true')
})

test('every path that is mounted from here is here, and is mounted for reading only', () => {
  const mounts = [origin, relais].flatMap(mountsOf).filter(({ source }) => source.startsWith('./'))
  assert.ok(mounts.length > 0)
  for (const { source, isReadOnly } of mounts) {
    assert.ok(existsSync(new URL(source, ROOT)), source)
    assert.ok(isReadOnly, source)
  }
})

test('images are pinned: Node to the version of the checkout, the rest to a whole version', () => {
  const { optionalDependencies } = manifest
  const [node] = new Set(Object.values(optionalDependencies))
  const bases = instructions('FROM').map((from) => from.split(' ')[0])
  assert.deepEqual([...new Set(bases)], [`node:${node}-bookworm-slim`])
  assert.match(origin.image, /^nginx:\d+\.\d+\.\d+-[a-z]+$/)
  assert.equal(relais.image, `relais:${manifest.version}`)
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

test('the last stage has no tools, is not root, and starts the launcher', () => {
  assert.match(dockerfile, /npm ci --omit=dev --omit=optional/)
  assert.doesNotMatch(finalStage, /npm|--from=build \/app\/(?:node_modules|src)/)
  assert.deepEqual(instructions('USER', finalStage), ['node'])
  assert.deepEqual(instructions('ENTRYPOINT', finalStage), ['["node", "bin/relais.mjs"]'])
})

test('health is asked of the port that Relais listens on, in the image and in the file', () => {
  const { port } = configIn({ ...relais, environment: {} }, command()).listen
  const inImage = instructions('HEALTHCHECK', finalStage).map((check) =>
    check.slice(check.indexOf('CMD ') + 4),
  )
  assert.deepEqual(
    inImage.map((check) => ['CMD', ...(JSON.parse(check) as string[])]),
    [relais.healthcheck.test],
  )
  const script = relais.healthcheck.test.at(-1) ?? ''
  assert.ok(script.includes(`http://127.0.0.1:${port}/-/live`), script)
  assert.doesNotThrow(() => new Function(script))
  assert.ok(origin.healthcheck.test.at(-1)?.endsWith('/health'))
  assert.match(nginx, /location = \/health/)
})

test('there is time to drain before the engine loses patience', () => {
  const { http } = configIn({ ...relais, environment: {} }, command())
  const patienceMs = parseDuration(relais.stop_grace_period) ?? 0
  assert.ok(patienceMs > http.drainTimeout, `${patienceMs} ms for a drain of ${http.drainTimeout} ms`)
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
