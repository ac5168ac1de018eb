/** Makes the directory ready at start, or says in one line why it cannot be used. */
import { codeOf, type DiskFiles, makeDirectory, unlinkIfThere } from './files.ts'
import type { Generations } from './generations.ts'
import type { Layout } from './layout.ts'
import { Lock, LockedError } from './lock.ts'

export interface Site {
  readonly lock: Lock
  /** Whether nothing was kept here before. */
  readonly isNew: boolean
}

/** Creates what is absent, locks it, and removes what a killed process left on its way. */
export async function prepare(files: DiskFiles, layout: Layout, generations: Generations): Promise<Site> {
  await orUnusable(layout.root, 'cannot be created', () => makeDirectory(files, layout.tmp))
  const lock = await orUnusable(layout.root, 'is not writable', () =>
    Lock.take(files, layout, generations.next()),
  )
  try {
    return await orUnusable(layout.root, 'is not writable', async () => {
      const isNew = !(await files.readdir(layout.root)).some((name) => layout.isFanOut(name))
      for (const name of await files.readdir(layout.tmp)) {
        if (layout.isAside(name)) await unlinkIfThere(files, `${layout.tmp}/${name}`)
      }
      return { lock, isNew }
    })
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function orUnusable<T>(path: string, what: string, deed: () => Promise<T>): Promise<T> {
  try {
    return await deed()
  } catch (cause) {
    throw unusable(path, what, cause)
  }
}

/** One line: the path, and what is wrong with it. */
export function unusable(path: string, what: string, cause: unknown): Error {
  const reason =
    cause instanceof LockedError
      ? `is ${cause.message}`
      : `${what} (${codeOf(cause) ?? (cause instanceof Error ? cause.message : String(cause))})`
  return new Error(`The directory ${path} ${reason}.`, { cause })
}
