/** A real NATS server with JetStream, for tests; Debian's package nats-server has it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { until } from './barrier.ts'

export function hasNats(): boolean {
  try {
    execFileSync('nats-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false // not installed; the test says that it was skipped
  }
}

export interface TestNats {
  readonly url: string
  readonly port: number
  start(): Promise<void>
  /** Ends it at once, as a crash does; what it has is on disk. */
  stop(): Promise<void>
  /** What it has on disk is gone when it starts again; to be called while it is stopped. */
  wipe(): void
  /** Holds it, so that it keeps its connections and says nothing, or lets it go on. */
  hang(isHung: boolean): void
  /** Closed before it is ended at the end of the test. */
  serves(user: { close(): Promise<void> }): void
}

/** Ended when the test is over. Not started when `isStarted` is false. */
export async function openNats(
  t: TestContext,
  { isStarted = true, args = [] as readonly string[] } = {},
): Promise<TestNats> {
  const folder = mkdtempSync(join(tmpdir(), 'relais-nats-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  const stop = async (): Promise<void> => {
    const ended = child
    child = undefined
    if (ended !== undefined && ended.exitCode === null) {
      const exit = new Promise<void>((resolve) => ended.once('exit', () => resolve()))
      ended.kill('SIGKILL')
      await exit
    }
  }
  const start = async (): Promise<void> => {
    const own = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', join(folder, 'data')]
    child = spawn('nats-server', [...own, ...args], { stdio: 'ignore' })
    await until(() => accepts(port), 'the NATS server answers')
  }
  const users: { close(): Promise<void> }[] = []
  t.after(async () => {
    await Promise.all(users.map((user) => user.close()))
    await stop()
    rmSync(folder, { recursive: true, force: true })
  })
  if (isStarted) await start()
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    start,
    stop,
    wipe: () => rmSync(join(folder, 'data'), { recursive: true, force: true }),
    hang: (isHung) => void child?.kill(isHung ? 'SIGSTOP' : 'SIGCONT'),
    serves: (user) => void users.push(user),
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    // It speaks first, and when it does it is ready.
    socket.once('data', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
