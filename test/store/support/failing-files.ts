/** A file system that does what a test says before it does what it is asked for. */
import * as promises from 'node:fs/promises'
import type { DiskFiles } from '../../../src/store/disk/files.ts'

/** A deed on a path, or `read` and `writev` on a file that was opened by it. */
export type Deed = keyof DiskFiles | 'read' | 'writev'

/** May wait, or throw what the system would throw. */
export type Before = (deed: Deed, path: string) => Promise<void> | undefined

/** An error as the system makes them. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code })
}

export function filesWith(before: Before): DiskFiles {
  return new Proxy(promises, {
    get: (target, deed: keyof DiskFiles) => {
      const real: unknown = target[deed]
      return async (...rest: unknown[]) => {
        const path = String(rest[0])
        await before(deed, path)
        const result: unknown = await Reflect.apply(real as () => unknown, target, rest)
        return deed === 'open' ? handleWith(result as promises.FileHandle, path, before) : result
      }
    },
  })
}

function handleWith(handle: promises.FileHandle, path: string, before: Before): promises.FileHandle {
  return new Proxy(handle, {
    get: (target, deed: keyof promises.FileHandle) => {
      const real: unknown = target[deed]
      if (typeof real !== 'function') return real
      return async (...rest: unknown[]) => {
        if (deed === 'read' || deed === 'writev') await before(deed, path)
        return Reflect.apply(real, target, rest)
      }
    },
  })
}
