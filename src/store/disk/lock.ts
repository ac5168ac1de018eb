/** One process a directory: a file that names its holder, and is worth nothing when that holder is dead. */
import { codeOf, type DiskFiles, unlinkIfThere } from './files.ts'

/** Times to try again when others come and go at the same moment. */
const MAX_TRIES = 5

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

export class Lock {
  readonly #files: DiskFiles
  readonly #path: string

  private constructor(files: DiskFiles, path: string) {
    this.#files = files
    this.#path = path
  }

  /** Throws a LockedError when a living process holds it. `aside` is a path nobody else uses, on the same volume. */
  static async take(files: DiskFiles, path: string, aside: string): Promise<Lock> {
    const mine = JSON.stringify({ pid: process.pid, run: await runOf(files, process.pid) })
    await files.writeFile(aside, mine)
    try {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        try {
          // A link comes into being with its content, or not at all.
          await files.link(aside, path)
          return new Lock(files, path)
        } catch (error) {
          if (codeOf(error) !== 'EEXIST') throw error
        }
        await removeDead(files, path, `${aside}.dead`)
      }
      throw new Error('others take it and let go of it all the time')
    } finally {
      await unlinkIfThere(files, aside)
    }
  }

  async release(): Promise<void> {
    await unlinkIfThere(this.#files, this.#path)
  }
}

/**
 * Two may find the same dead holder:
 *   1. A and B read the lock of the dead one.
 *   2. A removes it and takes its own.
 *   3. B, still thinking of the dead one, would remove A's.
 * So the lock is first moved aside and read again there; B sees that it moved A's and puts it back.
 */
async function removeDead(files: DiskFiles, path: string, aside: string): Promise<void> {
  const text = await textOf(files, path)
  if (text === undefined) return
  const holder = holderIn(text)
  if (holder !== undefined && (await isAlive(files, holder))) throw new LockedError(holder.pid)
  try {
    await files.rename(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  if ((await textOf(files, aside)) === text) await unlinkIfThere(files, aside)
  else await files.rename(aside, path)
}

async function textOf(files: DiskFiles, path: string): Promise<string | undefined> {
  try {
    return await files.readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
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
  if (stat === undefined) return ''
  // The second field is the name, in brackets, and may itself hold brackets and blanks; start time is the 22nd.
  const startedAtTick = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  const boot = await textOf(files, '/proc/sys/kernel/random/boot_id')
  return `${startedAtTick}@${boot?.trim()}`
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
