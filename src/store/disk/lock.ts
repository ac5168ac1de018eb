/** One process a directory: a file that names its holder, and is worth nothing when that holder is dead. */
import { codeOf, type DiskFiles, unlinkIfThere } from './files.ts'
import type { Layout } from './layout.ts'

interface Holder {
  readonly pid: number
  /** Which run of that pid: /proc's start time and the boot. A pid is used again, in a container 1 always. */
  readonly run: string
}

/** The directory belongs to somebody else. */
export class LockedError extends Error {
  readonly pid: number

  constructor(pid: number) {
    super(`locked by pid ${pid}`)
    this.pid = pid
  }
}

/**
 * Each one who wants the directory announces it by a file of its own, and then looks who else did. Of two at the same
 * moment each may see the other, and neither gets it; but never do both, since whoever looks second sees the first.
 * The file of a dead one can be removed by anybody: its name is never used again.
 */
export class Lock {
  readonly #files: DiskFiles
  readonly #path: string

  private constructor(files: DiskFiles, path: string) {
    this.#files = files
    this.#path = path
  }

  /** Throws a LockedError when a living process holds the directory, or is about to. */
  static async take(files: DiskFiles, layout: Layout, generation: number): Promise<Lock> {
    const mine: Holder = { pid: process.pid, run: await runOf(files, process.pid) }
    const aside = layout.aside(generation)
    const lock = new Lock(files, layout.lock(generation))
    await files.writeFile(aside, JSON.stringify(mine))
    await files.rename(aside, lock.#path)
    try {
      for (const name of await files.readdir(layout.root)) {
        const path = `${layout.root}/${name}`
        if (!layout.isLock(name) || path === lock.#path) continue
        const holder = holderIn(await textOf(files, path))
        if (holder !== undefined && (await isAlive(files, holder))) throw new LockedError(holder.pid)
        await unlinkIfThere(files, path)
      }
      return lock
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  async release(): Promise<void> {
    await unlinkIfThere(this.#files, this.#path)
  }
}

async function textOf(files: DiskFiles, path: string): Promise<string> {
  try {
    return await files.readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}

/** Undefined when it names nobody: such a lock binds nobody. */
function holderIn(text: string): Holder | undefined {
  const [, pid, run = ''] = /^\{"pid":(\d+),"run":"([^"]*)"\}$/.exec(text) ?? []
  return pid === undefined ? undefined : { pid: Number(pid), run }
}

async function isAlive(files: DiskFiles, holder: Holder): Promise<boolean> {
  const run = await runOf(files, holder.pid)
  return run !== '' ? run === holder.run : holder.run === '' && answers(holder.pid)
}

/** What tells this process from others that had, or will have, its pid; empty when it is dead, or without /proc. */
async function runOf(files: DiskFiles, pid: number): Promise<string> {
  const stat = await textOf(files, `/proc/${pid}/stat`)
  if (stat === '') return ''
  // The second field is the name, in brackets, and may itself hold brackets and blanks; start time is the 22nd.
  const startedAtTick = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  const boot = await textOf(files, '/proc/sys/kernel/random/boot_id')
  return `${startedAtTick}@${boot.trim()}`
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process is a process.
    return codeOf(error) === 'EPERM'
  }
}
