/** A cluster to try on one machine: the demo origin and some Relais, each a process of its own: node scripts/cluster.ts [nodes] */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Demo, startDemo } from '../src/demo/demo-origin.ts'

const LAUNCHER = fileURLToPath(new URL('../bin/relais.mjs', import.meta.url))
const DEMO_PORT = 9000
const FIRST_PORT = 8081
const FIRST_SIBLING_PORT = 8091
const MAX_NODES = 9

const count = Number(process.argv[2] ?? 3)
if (!Number.isInteger(count) || count < 1 || count > MAX_NODES) {
  process.stderr.write(
    `how many nodes? A number from 1 to ${MAX_NODES} was expected, and ${process.argv[2]} came\n`,
  )
  process.exit(2)
}

interface Node {
  readonly id: string
  readonly url: string
  readonly path: string
  child: ChildProcess | undefined
}

const folder = mkdtempSync(join(tmpdir(), 'relais-cluster-'))
const secret = randomBytes(24).toString('hex')
const siblings = Array.from({ length: count }, (_, index) => ({
  id: `node-${index + 1}`,
  url: `http://127.0.0.1:${FIRST_SIBLING_PORT + index}`,
}))
const nodes: Node[] = []
let isEnding = false
let running: Demo | undefined
const demo = await startDemo({ host: '127.0.0.1', port: DEMO_PORT, now: Date.now }).catch(giveUp)
running = demo
for (const [index, { id }] of siblings.entries()) {
  const path = join(folder, `${id}.json`)
  const port = FIRST_PORT + index
  const config = {
    node: id,
    listen: { host: '127.0.0.1', port },
    routes: [{ prefix: '/', origins: [demo.url] }],
    memory: { maxBytes: '64MB' },
    disk: { path: join(folder, id), maxBytes: '256MB' },
    log: { level: 'warn' },
    cluster: { secret, listen: { host: '127.0.0.1', port: FIRST_SIBLING_PORT + index }, siblings },
  }
  writeFileSync(path, JSON.stringify(config, undefined, 2))
  nodes.push({ id, url: `http://127.0.0.1:${port}`, path, child: undefined })
}
for (const node of nodes) start(node)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void end())
await Promise.all(nodes.map(({ url }) => lives(url))).catch(giveUp)

const [first] = nodes
say(`the demo origin is at ${demo.url}`)
for (const { id, url, child } of nodes) say(`${id} serves on ${url}, process ${child?.pid}`)
say(`watch:         ${first?.url}/  (a page that plays everything)`)
say(`ask:           curl -sD - -o /dev/null ${first?.url}/vod/bars/ts/main.m3u8 | grep cache-status`)
say(`who is there:  curl -s ${first?.url}/stats  (siblings, origin.requests, bytes.fromSiblings)`)
say(`purge for all: curl -s ${first?.url}/-/purge -H 'content-type: application/json' -d '{"all": true}'`)
say(`kill one:      kill -9 ${nodes.at(-1)?.child?.pid}  (and go on watching at another)`)
say('Ctrl-C ends all of them')

function start(node: Node): void {
  // Its log is for programs; what it has to say to people is passed on.
  const child = spawn(process.execPath, [LAUNCHER, '--config', node.path], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
  })
  node.child = child
  child.stderr.on('data', (text) => {
    for (const line of String(text).split('\n'))
      if (line !== '') process.stderr.write(`${node.id}: ${line}\n`)
  })
  child.once('exit', (code, signal) => {
    node.child = undefined
    if (isEnding) return
    say(
      `${node.id} is gone (${signal ?? `exit status ${code}`}); bring it back: node bin/relais.mjs --config ${node.path}`,
    )
  })
}

/** Settles when it answers; rejects when it has gone, or after 30 seconds. */
async function lives(url: string): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const node = nodes.find((one) => one.url === url)
    if (node?.child === undefined) throw new Error(`${node?.id} did not start`)
    try {
      if ((await fetch(`${url}/-/ready`)).ok) return
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${url} does not answer`, { cause: error })
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function end(): Promise<void> {
  if (isEnding) return
  isEnding = true
  await Promise.all(
    nodes.map(
      ({ child }) =>
        new Promise<void>((resolve) => {
          if (child === undefined) return resolve()
          child.once('exit', () => resolve())
          child.kill('SIGTERM')
        }),
    ),
  )
  await running?.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function giveUp(error: unknown): Promise<never> {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  await end()
  process.exit(1)
}
