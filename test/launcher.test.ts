/** The command line, as its users meet it: processes, signals and exit codes, with Node 24 and through an older Node. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { get } from './support/client.ts'
import { openOrigin, reply } from './support/origin.ts'
import { openViewer } from './support/viewer.ts'
import { openWire } from './support/wire.ts'

const LAUNCHER = fileURLToPath(new URL('../bin/relais.mjs', import.meta.url))

interface Run {
  readonly child: ChildProcess
  /** What it has written to standard error so far. */
  readonly said: () => string
  /** Settles with the match once standard error has it; rejects when the process ends first. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<{
    readonly code: number | null
    readonly signal: string | null
    readonly stdout: string
    readonly stderr: string
  }>
}

interface RunOptions {
  readonly node?: string
  readonly nodeArguments?: readonly string[]
  readonly env?: Record<string, string>
}

/** Killed when the test ends, if it is still there. */
function run(t: TestContext, args: readonly string[], options: RunOptions = {}): Run {
  const { node = process.execPath, nodeArguments = [], env = {} } = options
  const child = spawn(node, [...nodeArguments, LAUNCHER, ...args], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  let isOver = false
  const waiting = new Set<() => void>()
  const look = (): void => {
    for (const again of waiting) again()
  }
  child.stdout.on('data', (text) => {
    stdout += String(text)
  })
  child.stderr.on('data', (text) => {
    stderr += String(text)
    look()
  })
  const ended = new Promise<Awaited<Run['ended']>>((resolve) => {
    child.on('close', (code, signal) => {
      isOver = true
      look()
      resolve({ code, signal, stdout, stderr })
    })
  })
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    ended,
    said: () => stderr,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const again = (): void => {
          const match = pattern.exec(stderr)
          if (match === null && !isOver) return
          waiting.delete(again)
          if (match !== null) resolve(match)
          else reject(new Error(`ended before ${pattern}: ${stderr}`))
        }
        waiting.add(again)
        again()
      }),
  }
}

const SMALL = ['--host', '127.0.0.1', '--port', '0', '--disk', 'none'] as const

async function serving(process: Run): Promise<string> {
  const [, url = ''] = await process.says(/serving on (http:\S+)/)
  return url
}

async function configFile(t: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'relais-launcher-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'proxy.config.json')
  await writeFile(path, text)
  return path
}

/** A Node older than ours, or undefined where the machine has none. */
function olderNode(): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    const node = join(folder, 'node')
    try {
      const version = execFileSync(node, ['--version'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      if (Number(/^v(\d+)/.exec(version)?.[1] ?? 99) < 24) return node
    } catch {
      // no Node in this folder: look in the next
    }
  }
  return undefined
}

const older = olderNode()

test('--help tells of every option, --version of the version', async (t) => {
  const help = await run(t, ['--help']).ended
  assert.equal(help.code, 0)
  for (const flag of [
    '--config',
    '--origin',
    '--host',
    '--port',
    '--memory',
    '--disk',
    '--check',
    '--version',
  ]) {
    assert.ok(help.stdout.includes(flag), flag)
  }
  const version = await run(t, ['--version']).ended
  assert.deepEqual([version.code, version.stderr], [0, ''])
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
})

test('--check prints the effective configuration without its secrets, and stops', async (t) => {
  const env = { RELAIS_OPS_TOKEN: 'a-secret-of-some-length' }
  const check = await run(t, ['--origin', 'http://origin.example', '--memory', '64MB', '--check'], { env })
    .ended
  assert.deepEqual([check.code, check.stderr], [0, ''])
  const config = JSON.parse(check.stdout)
  assert.equal(config.memory.maxBytes, '64MB')
  assert.equal(config.routes[0].origins[0], 'http://origin.example/')
  assert.equal(config.ops.token, '(hidden)')
  assert.doesNotMatch(check.stdout, /a-secret-of-some-length/)
})

test('every problem is told at once, and the exit code is 2', async (t) => {
  const file = await configFile(
    t,
    '{ "memroy": {}, "listen": { "port": "no" }, "http": { "stallTimeout": "soon" } }',
  )
  const { code, stdout, stderr } = await run(t, ['--config', file, '--disk-sise', '1GB']).ended
  assert.equal(code, 2)
  assert.equal(stdout, '')
  for (const name of ['memroy', 'listen.port', 'http.stallTimeout', '--disk-sise'])
    assert.ok(stderr.includes(name), name)
  assert.equal(
    stderr
      .trimEnd()
      .split('\n')
      .every((line) => line.startsWith('relais: ')),
    true,
  )
})

test('a port that is taken is one clear line, and the exit code is 1', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const { port } = new URL(origin.url)
  const args = ['--origin', origin.url, '--host', '127.0.0.1', '--port', port, '--disk', 'none']
  const { code, stderr } = await run(t, args).ended
  assert.equal(code, 1)
  assert.equal(stderr, `relais: cannot listen on 127.0.0.1 port ${port}: the port is taken\n`)
})

test('a disk that cannot be had is one clear line, and the exit code is 1', async (t) => {
  const file = await configFile(t, '{}')
  const args = [
    '--origin',
    'http://127.0.0.1:9',
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--disk',
    join(file, 'below'),
  ]
  const { code, stderr } = await run(t, args).ended
  assert.equal(code, 1)
  assert.match(stderr, /^relais: [^\n]+\n$/)
  assert.ok(stderr.includes(file))
})

test('an origin alone is enough to serve, and SIGTERM lets the response under way finish', async (t) => {
  let slow: ServerResponse | undefined
  const origin = await openOrigin(t, (_request, response) => {
    slow = response
    response.writeHead(200, { 'content-length': '8' })
    response.write('half')
  })
  const relais = run(t, ['--origin', origin.url, ...SMALL])
  const url = await serving(relais)
  const viewer = openViewer(`${url}/slow.ts`)
  await viewer.reached(4)
  const idle = await openWire(t, url, 'GET /-/ready HTTP/1.1\r\nhost: x\r\n\r\n')
  await idle.seen(/^HTTP\/1.1 200 [\s\S]*"ready"/)
  relais.child.kill('SIGTERM')
  await idle.closed
  // Refused, or reset when it was in the queue of the port as that was closed.
  await assert.rejects(get(url))
  slow?.end('half')
  assert.equal((await viewer.answer).isWhole, true)
  const { code, stdout } = await relais.ended
  assert.equal(code, 0)
  // The log got out to its last line.
  assert.match(stdout, /"stopping"/)
})

test('a drain is bounded: what takes longer is cut, and the exit code is 0 all the same', async (t) => {
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '8' })
    response.write('half')
  })
  const routes = [{ prefix: '/', origins: [origin.url] }]
  const file = await configFile(t, JSON.stringify({ routes, http: { drainTimeout: '50ms' } }))
  const relais = run(t, ['--config', file, ...SMALL])
  const viewer = openViewer(`${await serving(relais)}/endless.ts`)
  await viewer.reached(4)
  relais.child.kill('SIGTERM')
  assert.equal((await viewer.answer).isWhole, false)
  assert.equal((await relais.ended).code, 0)
})

test('a second signal ends it at once', async (t) => {
  const origin = await openOrigin(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '8' })
    response.write('half')
  })
  const relais = run(t, ['--origin', origin.url, ...SMALL])
  const url = await serving(relais)
  const viewer = openViewer(`${url}/endless.ts`)
  await viewer.reached(4)
  const idle = await openWire(t, url, 'GET /-/live HTTP/1.1\r\nhost: x\r\n\r\n')
  await idle.seen(/"live"/)
  relais.child.kill('SIGTERM')
  await idle.closed
  relais.child.kill('SIGTERM')
  const { code } = await relais.ended
  assert.equal(code, 1)
  assert.equal((await viewer.answer).isWhole, false)
})

test('an error that nobody caught ends the process with exit code 1, its port free', async (t) => {
  const origin = await openOrigin(t, (_request, response) => reply(response, 'x'))
  const preload = "data:text/javascript,process.on('SIGWINCH',()=>{throw new Error('nobody caught this')})"
  const relais = run(t, ['--origin', origin.url, ...SMALL], { nodeArguments: ['--import', preload] })
  const url = await serving(relais)
  relais.child.kill('SIGWINCH')
  const { code, stdout } = await relais.ended
  assert.equal(code, 1)
  assert.match(stdout, /nobody caught this/)
  await assert.rejects(get(url), { code: 'ECONNREFUSED' })
})

test('an older Node starts the one that is needed, passes signals on and the exit code back', {
  skip: older === undefined,
}, async (t) => {
  const node = older ?? ''
  assert.equal((await run(t, ['--port', 'no'], { node }).ended).code, 2)
  const origin = await openOrigin(t, (_request, response) => reply(response, 'from the origin'))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const relais = run(t, ['--origin', origin.url, ...SMALL], { node })
    const url = await serving(relais)
    assert.equal((await get(`${url}/a.ts`)).body.toString(), 'from the origin')
    relais.child.kill(signal)
    assert.equal((await relais.ended).code, 0, signal)
    await assert.rejects(get(url))
  }
})
