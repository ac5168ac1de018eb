/** One configuration of the command line, the environment and the file. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Value } from 'typebox/value'
import { rowsOf, schemaText, withTables } from '../scripts/config-docs.ts'
import { SETTABLE } from '../src/config/settings.ts'
import { type Config, demoRoute, describeConfig, readConfig } from '../src/config.ts'
import { parseDuration, parseSize } from '../src/quantities.ts'
import { configOf, type Given, inputOf, problemsOf, routed } from './support/configured.ts'

const ORIGIN = ['--origin', 'http://origin:9000']

test('one origin is enough: everything else has a default', () => {
  assert.deepEqual(configOf({ argv: ORIGIN }), {
    node: 'edge-1.example',
    listen: { host: '0.0.0.0', port: 8080 },
    routes: [
      {
        prefix: '/',
        origins: ['http://origin:9000/'],
        cookies: 'forward',
        requestDirectives: 'ignore',
        cors: 'origin',
        resume: 'validated',
        ignoreQuery: [],
      },
    ],
    memory: { maxBytes: 256 * 1024 ** 2, maxEntryBytes: 32 * 1024 ** 2 },
    disk: { path: '/home/relais/.cache/relais', maxBytes: 2 * 1024 ** 3, maxEntryBytes: 1024 ** 3 },
    slices: { bytes: 2 * 1024 ** 2, above: 8 * 1024 ** 2 },
    addresses: { publicUrl: null, aliases: [] },
    prefetch: { segments: 2, share: 25 },
    upstream: {
      connectTimeout: 2000,
      headTimeout: 15_000,
      idleTimeout: 10_000,
      penalty: 10_000,
      queue: 1024,
      queueTimeout: 5_000,
      resumeTimeout: 15_000,
      connections: 128,
      heldConnections: 512,
    },
    http: {
      maxConnections: 20_000,
      headTimeout: 10_000,
      keepAliveTimeout: 75_000,
      stallTimeout: 30_000,
      drainTimeout: 30_000,
    },
    cmcd: { events: null },
    cmsd: true,
    log: { level: 'info', access: true },
    ops: { trusted: ['127.0.0.0/8', '::1/128'], token: null },
    cluster: undefined,
    demo: undefined,
  })
})

test('options beat the environment, and both beat the file', () => {
  const file = routed({
    listen: { port: 1, host: '10.0.0.1' },
    memory: { maxBytes: 1 },
    disk: { maxBytes: 1 },
  })
  const env = { RELAIS_PORT: '2', RELAIS_MEMORY: '2KB' }
  const config = configOf({ file, env, argv: ['--port', '3'] })
  assert.deepEqual(config.listen, { port: 3, host: '10.0.0.1' })
  assert.equal(config.memory.maxBytes, 2048)
  assert.equal(config.disk.maxBytes, 1)
})

test('each option and each variable sets what it says', () => {
  const written: Record<string, string> = {
    origin: 'http://a http://b/c',
    host: '::1',
    port: '81',
    memory: '64MB',
    disk: '/var/cache/relais',
    'disk-size': '1TB',
    node: 'paris-1',
    'log-level': 'warn',
    'ops-token': 'sixteen-letters-',
  }
  const expected = {
    origins: ['http://a/', 'http://b/c/'],
    host: '::1',
    port: 81,
    memory: 64 * 1024 ** 2,
    disk: ['/var/cache/relais', 1024 ** 4],
  }
  const seen = (config: Config): object => ({
    origins: config.routes[0]?.origins,
    host: config.listen.host,
    port: config.listen.port,
    memory: config.memory.maxBytes,
    disk: [config.disk.path, config.disk.maxBytes],
  })
  const flags = SETTABLE.flatMap(({ flag }) => (flag === undefined ? [] : [`--${flag}`, written[flag] ?? '']))
  assert.deepEqual(seen(configOf({ argv: flags })), expected)

  const variables = Object.entries(written).map(([name, value]) => {
    return [`RELAIS_${name.toUpperCase().replace('-', '_')}`, value] as const
  })
  const config = configOf({ env: Object.fromEntries(variables) })
  assert.deepEqual(seen(config), expected)
  assert.deepEqual([config.node, config.log.level, config.ops.token], ['paris-1', 'warn', 'sixteen-letters-'])
})

test('--origin may be given again, and takes the place of all routes', () => {
  const { routes } = configOf({ file: routed({}), argv: ['--origin', 'http://a', '--origin=http://b'] })
  assert.deepEqual(
    routes.map(({ prefix, origins }) => [prefix, origins]),
    [['/', ['http://a/', 'http://b/']]],
  )
})

test('a variable that is set to nothing is not set', () => {
  assert.equal(configOf({ argv: ORIGIN, env: { RELAIS_PORT: '', RELAIS_NONSENSE: '' } }).listen.port, 8080)
})

test("the disk lies in the user's cache directory until it is said where, or none", () => {
  const pathOf = (given: Given): string | null =>
    configOf({ ...given, argv: [...ORIGIN, ...(given.argv ?? [])] }).disk.path
  assert.equal(pathOf({}), '/home/relais/.cache/relais')
  assert.equal(pathOf({ env: { XDG_CACHE_HOME: '/xdg' } }), '/xdg/relais')
  assert.equal(pathOf({ env: { XDG_CACHE_HOME: 'relative' } }), '/home/relais/.cache/relais')
  assert.equal(pathOf({ file: { disk: { path: '/d' } } }), '/d')
  assert.equal(pathOf({ file: { disk: { path: null } } }), null)
  assert.equal(pathOf({ file: { disk: { path: 'none' } } }), null)
  assert.equal(pathOf({ file: { disk: { path: '/d' } }, argv: ['--disk', 'none'] }), null)
  assert.equal(pathOf({ env: { RELAIS_DISK: 'none' } }), null)
})

test('a host name that is no node name becomes one', () => {
  const nodeOf = (hostname: string): string => {
    const read = readConfig({ ...inputOf({ argv: ORIGIN }), hostname })
    return read.kind === 'config' ? read.config.node : assert.fail(JSON.stringify(read))
  }
  assert.equal(nodeOf('my host!'), 'my-host-')
  assert.equal(nodeOf('7f3a'), 'relais-7f3a')
  assert.equal(nodeOf('10.0.0.1'), 'relais-10.0.0.1')
  assert.equal(nodeOf('x'.repeat(100)), 'x'.repeat(64))
})

test('prefixes and origins end in a slash, so that one can take the place of the other', () => {
  const { routes } = configOf({
    file: { routes: [{ prefix: '/a', origins: ['HTTP://O.example:80/b', 'https://o.example/c%2Fd/'] }] },
  })
  assert.equal(routes[0]?.prefix, '/a/')
  assert.deepEqual(routes[0]?.origins, ['http://o.example/b/', 'https://o.example/c%2Fd/'])
})

test('an entry is never allowed more than its place', () => {
  const { memory, disk } = configOf({
    file: routed({ memory: { maxBytes: '1MB' }, disk: { maxBytes: '2MB' } }),
  })
  assert.equal(memory.maxEntryBytes, 1024 ** 2)
  assert.equal(disk.maxEntryBytes, 2 * 1024 ** 2)
})

test('a demo without routes is the origin of everything', () => {
  assert.deepEqual(configOf({ file: { demo: {} } }).routes, [demoRoute('http://127.0.0.1:9000')])
  assert.deepEqual(configOf({ file: { demo: { host: '::1', port: 9 } } }).routes, [
    demoRoute('http://[::1]:9'),
  ])
  assert.deepEqual(configOf({ file: { demo: { port: 0 } } }).routes, [], 'its port is not known yet')
  assert.deepEqual(configOf({ file: routed({ demo: {} }) }).routes[0]?.origins, ['http://o/'])
})

test('help, version and check are told apart from running', () => {
  const help = readConfig(inputOf({ argv: ['--help', '--nonsense'] }))
  assert.ok(help.kind === 'help')
  for (const { flag, variable } of SETTABLE) {
    if (flag !== undefined) assert.ok(help.text.includes(`--${flag} `), flag)
    if (variable !== undefined) assert.ok(help.text.includes(`${variable}=`), variable)
  }
  assert.equal(readConfig(inputOf({ argv: ['--version'] })).kind, 'version')
  const check = readConfig(inputOf({ argv: [...ORIGIN, '--check'] }))
  assert.ok(check.kind === 'config' && check.check)
  const run = readConfig(inputOf({ argv: ORIGIN }))
  assert.ok(run.kind === 'config' && !run.check)
})

test('every problem is listed at once, with its place', () => {
  const file = {
    listen: { port: 70_000, hots: '::' },
    routes: [
      { prefix: 'live', origins: ['http://a', 'ftp://b', 'http://a/'] },
      { prefix: '/x', origins: [], cookies: 'eat' },
      { prefix: '/x/', origins: ['http://u:p@c', 'http://d/?q=1', 'http://e/#f'] },
      7,
    ],
    memory: { maxBytes: '12 apples' },
    upstream: { connectTimeout: 0, headTimeout: '15', idleTimeout: '0s', connections: 0 },
    http: 'fast',
    log: { access: 'yes' },
    ops: { trusted: ['10.0.0.0/33', 'localhost', '10.0.0.1'], token: 'swordfish' },
    cashe: {},
  }
  const expected = [
    '--prot: expected a known option, perhaps --port, came an unknown one',
    '--memory: expected a value, came nothing',
    'RELAIS_LOGLEVEL: expected a known variable, perhaps RELAIS_LOG_LEVEL, came an unknown one',
    'cashe: expected one of the keys $schema, node, cmsd, listen, routes, memory, disk, slices, addresses, prefetch, cluster, upstream, http, cmcd, log, ops, demo, came the unknown key "cashe"',
    'listen.hots: expected a known key, perhaps "host", came the unknown key "hots"',
    'listen.port: expected a whole number from 0 to 65535, came 70000',
    'routes[0].prefix: expected a path that begins with "/", has no "?", "#", "//", quote, "." and ".." segments, and is not Relais\' own, came "live"',
    'routes[0].origins[1]: expected an http or https URL without query, fragment and credentials, came "ftp://b"',
    'routes[1].origins: expected a list with at least 1 entry, came []',
    'routes[1].cookies: expected one of "forward", "drop", "share", came "eat"',
    'routes[2].origins[0]: expected an http or https URL without query, fragment and credentials, came "http://…@c"',
    'routes[2].origins[1]: expected an http or https URL without query, fragment and credentials, came "http://d/?q=1"',
    'routes[2].origins[2]: expected an http or https URL without query, fragment and credentials, came "http://e/#f"',
    'routes[3]: expected an object, came 7',
    'memory.maxBytes: expected a size: a number of bytes, or a string such as "512MB", "20GB", "64KiB", came "12 apples"',
    'upstream.connectTimeout: expected a duration: a number of milliseconds, or a string such as "500ms", "20s", "2m", "1h" from 1ms to 24d, came 0',
    'upstream.headTimeout: expected a duration: a number of milliseconds, or a string such as "500ms", "20s", "2m", "1h" from 1ms to 24d, came "15"',
    'upstream.idleTimeout: expected a duration: a number of milliseconds, or a string such as "500ms", "20s", "2m", "1h" from 1ms to 24d, came "0s"',
    'upstream.connections: expected a whole number, at least 1, came 0',
    'http: expected an object, came "fast"',
    'log.access: expected true or false, came "yes"',
    'ops.trusted[0]: expected an IP address or a block such as "10.0.0.0/8" or "fd00::/8", came "10.0.0.0/33"',
    'ops.trusted[1]: expected an IP address or a block such as "10.0.0.0/8" or "fd00::/8", came "localhost"',
    'ops.token: expected a string of at least 16 characters or null, came a string of 9 characters',
    'routes[2].prefix: expected a prefix that no other route has, came "/x/" again',
    'routes[0].origins[2]: expected each origin once, came "http://a/" again',
  ]
  const given = { file, argv: ['--prot', '8', '--memory'], env: { RELAIS_LOGLEVEL: 'warn' } }
  assert.deepEqual(problemsOf(given), expected)
})

test('a problem with what an option or a variable sets is named by that', () => {
  assert.deepEqual(
    problemsOf({ argv: ['--origin', 'origin:9000', '--port', '8o'], env: { RELAIS_MEMORY: 'much' } }),
    [
      '--origin: expected an http or https URL without query, fragment and credentials, came "origin:9000"',
      '--port: expected a whole number from 0 to 65535, came "8o"',
      'RELAIS_MEMORY: expected a size: a number of bytes, or a string such as "512MB", "20GB", "64KiB", came "much"',
    ].toSorted((one, other) => order(one) - order(other)),
  )
  function order(line: string): number {
    return ['--port', '--origin', 'RELAIS_MEMORY'].findIndex((from) => line.startsWith(from))
  }
})

test('the prefixes of what Relais answers by itself are no routes', () => {
  for (const prefix of [
    '/-/',
    '/-',
    '/-/purge/',
    '/stats',
    '/metrics/',
    '/a?b',
    '/a#b',
    '/a//b',
    '/a/../b',
    '/a b',
    '',
  ]) {
    const file = { routes: [{ prefix, origins: ['http://o'] }] }
    assert.match(problemsOf({ file }).join(), /^routes\[0\]\.prefix: expected a path/, prefix)
  }
  for (const prefix of ['/-live/', '/statistics', '/a/stats/', '/a.b/..c']) {
    configOf({ file: { routes: [{ prefix, origins: ['http://o'] }] } })
  }
})

test('neither routes nor a demo is a problem', () => {
  assert.deepEqual(problemsOf({}), [
    'routes: expected at least one route, or --origin URL, or a demo, came none',
  ])
})

test('a file that is no JSON is a problem with a line and a column', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'relais.json:1:1: expected a value, came the end of the file'],
    ['{"node": }', 'relais.json:1:10: expected a value, came }'],
    ['{\n  "node": "a",\n}', 'relais.json:3:1: expected a key in double quotes, came }'],
    ['{\n  "node" "a"\n}', 'relais.json:2:10: expected : after the key "node", came "a"'],
    ['{ // why\n}', 'relais.json:1:3: expected a key in double quotes or }, came // why'],
    ['{"a": [1 2]}', 'relais.json:1:10: expected , or ], came 2]}'],
    ['{"a": 1', 'relais.json:1:8: expected , or }, came the end of the file'],
    ['{"a": 01}', 'relais.json:1:7: expected a value, came 01}'],
    [
      '{"a": "\n"}',
      'relais.json:1:7: expected a value as a string with closing quotes, on one line, with valid escapes, came "',
    ],
    ['{} x', 'relais.json:1:4: expected nothing more after the value, came x'],
    ['{"disk": {},\n "disk": {}}', 'relais.json:2:2: expected each key once, came "disk"'],
    ['[]', 'the configuration: expected an object, came []'],
  ]
  for (const [file, problem] of cases) assert.deepEqual(problemsOf({ file }), [problem], file)
})

test('a file that cannot be read is a problem', () => {
  const input = inputOf({ argv: ['--config', 'nowhere.json'] })
  const read = readConfig({
    ...input,
    readFile: () => {
      throw new Error('ENOENT: no such file')
    },
  })
  assert.deepEqual(read, {
    kind: 'problems',
    problems: [{ path: '--config', expected: 'a file that can be read', came: 'ENOENT: no such file' }],
  })
})

test('what is printed for --check means the same, and hides the token', (t: TestContext) => {
  const directory = mkdtempSync(join(tmpdir(), 'relais-config-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const token = 'a-token-of-some-length'
  const first = configOf({
    file: routed({ memory: { maxBytes: 123_456_789 }, http: { stallTimeout: 1234 }, ops: { token } }),
  })
  const path = join(directory, 'printed.json')
  writeFileSync(path, describeConfig(first))
  const printed = readFileSync(path, 'utf8')
  assert.ok(!printed.includes(token))
  const second = configOf({ file: printed.replace('"(hidden)"', JSON.stringify(token)) })
  assert.deepEqual(second, first)
})

/** What nothing can stand in for. */
const REQUIRED = [
  'cluster.secret',
  'cluster.listen.host',
  'cluster.siblings[].id',
  'cluster.siblings[].url',
  'cluster.dns.name',
  'cluster.nats.servers',
  'routes[].prefix',
  'routes[].origins',
  'addresses.aliases[].url',
  'addresses.aliases[].path',
]

test('every option has a description, and a default that is itself valid', () => {
  for (const { key, node, isRequired } of rowsOf()) {
    assert.ok((node.description ?? '').endsWith('.'), key)
    if (node['x-unit'] === 'bytes') assert.ok(parseSize(node.default) !== undefined, key)
    if (node['x-unit'] === 'ms') assert.ok(parseDuration(node.default) !== undefined, key)
    const hasDefault = node.default !== undefined || node['x-default'] !== undefined
    assert.ok(!isRequired || hasDefault || REQUIRED.includes(key), key)
  }
})

const root = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

test('the committed schema is the current one: npm run schema writes it', () => {
  assert.equal(readFileSync(root('docs/config.schema.json'), 'utf8'), schemaText())
})

test('docs/configuration.md documents every option and nothing else: npm run schema writes its tables', () => {
  const page = readFileSync(root('docs/configuration.md'), 'utf8')
  assert.equal(page, withTables(page))
  const tables = [...page.matchAll(/<!-- options:.*?-->([\s\S]*?)<!-- end -->/g)]
    .map((match) => match[1])
    .join('')
  const documented = [...tables.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1])
  assert.deepEqual(
    documented,
    rowsOf().map(({ key }) => key),
  )
})

test('docs/configuration.md names every command-line option and every variable', () => {
  const page = readFileSync(root('docs/configuration.md'), 'utf8')
  for (const { flag, variable, path } of SETTABLE) {
    const [row] = page.split('\n').filter((line) => line.startsWith('|') && line.includes(`\`${variable}\``))
    assert.ok(row?.endsWith(`| \`${path.join('.')}\` |`), variable)
    if (flag !== undefined) assert.ok(row?.startsWith(`| \`--${flag} `), flag)
  }
})

test('the example of the documentation and proxy.config.json are valid, by the schema and by the reader', () => {
  const page = readFileSync(root('docs/configuration.md'), 'utf8')
  const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
  for (const file of [example, readFileSync(root('proxy.config.json'), 'utf8')]) {
    assert.deepEqual([...Value.Errors(JSON.parse(schemaText()), JSON.parse(file))], [])
    configOf({ file })
  }
})

test('npm start listens everywhere, and its origin is the demo', () => {
  const config = configOf({ file: readFileSync(root('proxy.config.json'), 'utf8') })
  assert.deepEqual(config.listen, { host: '0.0.0.0', port: 8080 })
  assert.deepEqual(config.routes, [demoRoute('http://127.0.0.1:9000')])
  assert.deepEqual([config.node, config.disk.path], ['relais', '/home/relais/.cache/relais'])
})

test('the path of events is a plain one that leads to no other room', () => {
  assert.deepEqual(configOf({ file: routed({ cmcd: { events: '/players/cmcd' } }) }).cmcd, {
    events: '/players/cmcd',
  })
  for (const events of [
    '/',
    '/a/',
    'cmcd',
    '/a:b',
    '/*',
    '/a//b',
    '/../a',
    '/stats',
    '/-/cmcd',
    '/a?b',
    '',
  ]) {
    const [problem] = problemsOf({ file: routed({ cmcd: { events } }) })
    assert.match(problem ?? '', /^cmcd\.events: expected a path such as "\/cmcd".* or null, came "/, events)
  }
})
