/** A network of namespaces of this machine: nodes with addresses of their own, and a router between them that can let packets vanish. */
import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { until } from './barrier.ts'

/** Debian puts `ip` where only root looks. */
const ENV = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }

/** Where a process of its own can be put. */
export interface Place {
  /** Its one address. */
  readonly host: string
  /** What is to stand before a command, to have it run there. */
  readonly command: readonly string[]
}

export interface Network {
  /** The address of this process, which all places reach, cut or not. */
  readonly host: string
  readonly places: readonly Place[]
  /** From now on what one sends to the other vanishes on its way, and nobody is told. */
  cut(from: Place | undefined, to: Place | undefined): void
  /** Whatever was cut passes again. */
  mend(): void
}

/** Why no network can be made here, in one line; false: one can. */
export function whyNoNetwork(): string | false {
  const name = `relais-${process.pid}-try`
  try {
    openRouter(name)
    return false
  } catch (error) {
    const [why = ''] = String(error)
      .replace(/^Error: /, '')
      .split('\n')
    return `network namespaces cannot be made here: root and iproute2 are needed (${why})`
  } finally {
    remove(name)
  }
}

/** This process and so many places, each on a line of its own to a router. All of it is gone when the test ends. */
export function openNetwork(t: Pick<TestContext, 'after'>, count: number): Network {
  const own = `relais-${process.pid}`
  const router = `${own}-router`
  const names = Array.from({ length: count }, (_, index) => `${own}-${index + 1}`)
  // Another test's process has another one, so that both can stand at the same time.
  const net = `10.${200 + (Math.floor(process.pid / 256) % 50)}.${process.pid % 256}`
  const line = (index: number) => ({ far: `${net}.${4 * index + 1}`, near: `${net}.${4 * index + 2}` })
  const nameOfLine = (index: number): string => `rl${process.pid}.${index}`
  const cuts: (readonly string[])[] = []
  const mend = (): void => {
    for (const rule of cuts.splice(0)) ip('-n', router, 'rule', 'del', ...rule)
  }
  t.after(async () => {
    mend()
    // Before the lines go: their last word has whoever talks to them notice.
    for (const name of names)
      await until(() => endAll(name) === 0, `nothing runs in ${name}`).catch(() => undefined)
    for (const name of [...names, router]) remove(name)
  })
  openRouter(router)
  // Its line is the first; a router's end of a line bears the name of the other end.
  connect(router, nameOfLine(0), line(0))
  ip('route', 'add', `${net}.0/24`, 'via', line(0).near)
  const places = names.map((name, nth) => {
    remove(name)
    ip('netns', 'add', name)
    const index = nth + 1
    connect(router, nameOfLine(index), line(index), name)
    ip('-n', name, 'link', 'set', 'lo', 'up')
    ip('-n', name, 'route', 'add', 'default', 'via', line(index).near)
    return { host: line(index).far, command: ['ip', 'netns', 'exec', name] }
  })
  return {
    host: line(0).far,
    places,
    cut(from, to) {
      if (from === undefined || to === undefined) throw new Error('expected two places of this network')
      const rule = ['from', from.host, 'to', to.host, 'blackhole']
      ip('-n', router, 'rule', 'add', ...rule)
      cuts.push(rule)
    },
    mend,
  }
}

function openRouter(name: string): void {
  remove(name)
  ip('netns', 'add', name)
  ip('netns', 'exec', name, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward')
  // What a cut is made of.
  ip('-n', name, 'rule', 'add', 'from', '192.0.2.1', 'to', '192.0.2.2', 'blackhole')
  ip('-n', name, 'rule', 'del', 'from', '192.0.2.1', 'to', '192.0.2.2', 'blackhole')
}

/** A line from the router to a namespace, or to this process. */
function connect(
  router: string,
  line: string,
  { far, near }: { readonly far: string; readonly near: string },
  namespace?: string,
): void {
  const there = namespace === undefined ? [] : ['-n', namespace]
  ip('-n', router, 'link', 'add', line, 'type', 'veth', 'peer', 'name', `${line}p`)
  ip('-n', router, 'link', 'set', `${line}p`, 'netns', namespace ?? String(process.pid))
  ip('-n', router, 'addr', 'add', `${near}/30`, 'dev', line)
  ip('-n', router, 'link', 'set', line, 'up')
  ip(...there, 'addr', 'add', `${far}/30`, 'dev', `${line}p`)
  ip(...there, 'link', 'set', `${line}p`, 'up')
}

/** Answers how many processes still ran there. */
function endAll(namespace: string): number {
  const ids = ip('netns', 'pids', namespace).split('\n').filter(Boolean).map(Number)
  for (const id of ids) {
    try {
      process.kill(id, 'SIGKILL')
    } catch {
      // It has just ended by itself.
    }
  }
  return ids.length
}

/** With its end of each line the other end goes as well. */
function remove(namespace: string): void {
  try {
    ip('netns', 'del', namespace)
  } catch {
    // It is not there.
  }
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { env: ENV, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
