/** What a bench stands on: a temporary directory and child processes, all of which are gone when it is closed. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { familyOf } from './accounting.ts'

const MEMORY_FILE_SYSTEM = '/dev/shm'
const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 10_000

/** Who is measured has a core for itself; the origin, the viewers and wrk share another. */
export type Core = 'measured' | 'others'

export interface Child {
  readonly pid: number
  readonly process: ChildProcess
  /** Ends it and whatever it has started. */
  stop(): Promise<void>
}

export class Ground {
  /** On a file system in memory where there is one, so that no peer waits for a disk. */
  readonly path: string
  readonly #children = new Set<Child>()

  private constructor(path: string) {
    this.path = path
  }

  static async open(): Promise<Ground> {
    const root = existsSync(MEMORY_FILE_SYSTEM) ? MEMORY_FILE_SYSTEM : tmpdir()
    return new Ground(await mkdtemp(join(root, 'relais-bench-')))
  }

  start(core: Core, command: string, args: readonly string[], options: SpawnOptions = {}): Child {
    const [program, ...rest] = onCore(core, command, args)
    const child = spawn(program, rest, { stdio: 'ignore', ...options })
    const { pid } = child
    if (pid === undefined) throw new Error(`${command} could not be started: is it installed?`)
    const started: Child = {
      pid,
      process: child,
      stop: async () => {
        this.#children.delete(started)
        await stop(child, pid)
      },
    }
    this.#children.add(started)
    return started
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.stop()))
    await rm(this.path, { recursive: true, force: true })
  }
}

/** Runs a program to its end and answers what it wrote; rejects when it fails or takes longer than `timeoutMs`. */
export async function output(
  core: Core,
  command: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const [program, ...rest] = onCore(core, command, args)
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'], timeout: timeoutMs })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.on('error', reject)
  child.on('close', (code, signal) => {
    if (code === 0) resolve()
    else reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}: ${text}`))
  })
  await promise
  return text
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}

/** Settles when something listens there. */
export async function listening(port: number, child: Child): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (!(await accepts(port))) {
    const { exitCode, spawnfile, spawnargs } = child.process
    if (exitCode !== null) throw new Error(`${spawnargs.join(' ')} ended with ${exitCode}`)
    if (performance.now() > deadline) throw new Error(`${spawnfile} does not listen on ${port}`)
    await pause(50)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true))
    socket.on('connect', () => socket.destroy())
    socket.on('error', () => resolve(false))
  })
}

function onCore(core: Core, command: string, args: readonly string[]): [string, ...string[]] {
  if (availableParallelism() < 2) return [command, ...args]
  return ['taskset', '-c', core === 'measured' ? '0' : '1', command, ...args]
}

async function stop(child: ChildProcess, pid: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const family = familyOf(pid)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
  for (const member of family) {
    try {
      process.kill(member, 'SIGKILL')
    } catch {
      // It has ended with its parent, as it should.
    }
  }
}
