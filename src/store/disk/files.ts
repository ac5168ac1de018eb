/** What the disk half asks of the file system, so that a test can hand in one that fails. */
import type * as promises from 'node:fs/promises'
import { dirname } from 'node:path'

export type DiskFiles = Pick<
  typeof promises,
  'mkdir' | 'open' | 'readdir' | 'readFile' | 'rename' | 'stat' | 'unlink' | 'writeFile'
>

/** The system's word for what went wrong (`ENOSPC`), or undefined when it was not the system that failed. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Removes a file. That it is gone already is as good. */
export async function unlinkIfThere(files: DiskFiles, path: string): Promise<void> {
  try {
    await files.unlink(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** Does what makes a file at `path`; the directory of it is made first when absent, as after a cleaning by hand. */
export async function making<T>(files: DiskFiles, path: string, deed: () => Promise<T>): Promise<T> {
  try {
    return await deed()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    await makeDirectory(files, dirname(path))
    return await deed()
  }
}

/** With those above it. Step by step: the system's own way never comes back from where none can be made, as in /proc. */
export async function makeDirectory(files: DiskFiles, path: string): Promise<void> {
  try {
    await files.mkdir(path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectory(files, dirname(path))
    await files.mkdir(path)
  }
}

/** Fills `buffer` from `position` on. Answers how much there was: less than asked for at the end of the file. */
export async function readFully(
  handle: promises.FileHandle,
  buffer: Uint8Array,
  position: number,
): Promise<number> {
  let filled = 0
  while (filled < buffer.byteLength) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.byteLength - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

/** Writes all of `chunks` one after the other from `position` on, however few the system takes at a time. */
export async function writeFully(
  handle: promises.FileHandle,
  chunks: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let rest = chunks
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest as Uint8Array[], at)
    at += bytesWritten
    rest = without(rest, bytesWritten)
  }
}

function without(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skipped = bytes
  for (const [index, chunk] of chunks.entries()) {
    if (skipped < chunk.byteLength) return [chunk.subarray(skipped), ...chunks.slice(index + 1)]
    skipped -= chunk.byteLength
  }
  return []
}
