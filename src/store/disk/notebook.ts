/**
 * Notes on disk: one line each, with its sum before it, in a file that is only appended to.
 *
 * Example: `1f3a9c07 {"mark":12}`. Of a line that a kill tore, and of a damaged one, nothing is believed.
 */
import type { FileHandle } from 'node:fs/promises'
import * as promises from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { Notes } from '../notes.ts'
import { codeOf, type DiskFiles, unlinkIfThere, writeFully } from './files.ts'

/** What may be written later is by then. */
const LATER_MS = 100

export interface NotebookOptions {
  readonly path: string
  /** Where it is written anew; no file of this name is there. */
  readonly aside: string
  /** Hears what could not be written or read. */
  readonly onFailure: (what: string, error: unknown) => void
  /** The file system; the real one by default. */
  readonly files?: DiskFiles
}

export class Notebook implements Notes {
  readonly lines: readonly string[]
  readonly isDamaged: boolean
  readonly #options: NotebookOptions
  readonly #files: DiskFiles
  #handle: FileHandle | undefined
  #bytes: number
  #count: number
  /** The one that more may still be added to. */
  #batch: { readonly lines: string[]; readonly written: Promise<boolean> } | undefined
  /** What may be written later; answers with the batch that takes it along. */
  #late:
    | ({ readonly lines: string[]; readonly timer: NodeJS.Timeout } & PromiseWithResolvers<boolean>)
    | undefined
  #last: Promise<unknown> = Promise.resolve()

  private constructor(
    options: NotebookOptions,
    files: DiskFiles,
    handle: FileHandle | undefined,
    read: { readonly lines: readonly string[]; readonly isDamaged: boolean; readonly bytes: number },
  ) {
    this.#options = options
    this.#files = files
    this.#handle = handle
    this.lines = read.lines
    this.isDamaged = read.isDamaged
    this.#bytes = read.bytes
    this.#count = read.lines.length
  }

  /** What cannot be read is damage, and what cannot be written is told by `append`; never rejects. */
  static async open(options: NotebookOptions): Promise<Notebook> {
    const files = options.files ?? promises
    try {
      const read = readLines(await textOf(files, options.path))
      const handle = await files.open(options.path, read.bytes === 0 ? 'w' : 'r+')
      return new Notebook(options, files, handle, read)
    } catch (error) {
      options.onFailure(`open ${options.path}`, error)
      return new Notebook(options, files, undefined, { lines: [], isDamaged: true, bytes: 0 })
    }
  }

  get count(): number {
    return this.#count
  }

  append(lines: readonly string[]): Promise<boolean> {
    if (this.#batch === undefined) {
      const mine: string[] = []
      const written = this.#afterLast(() => {
        if (this.#batch?.lines === mine) this.#batch = undefined
        return this.#write(mine)
      })
      this.#batch = { lines: mine, written }
    }
    const { lines: all, written } = this.#batch
    const late = this.#late
    if (late !== undefined) {
      clearTimeout(late.timer)
      this.#late = undefined
      all.push(...late.lines)
      late.resolve(written)
    }
    all.push(...lines)
    return written
  }

  later(lines: readonly string[]): Promise<boolean> {
    this.#late ??= {
      ...Promise.withResolvers<boolean>(),
      lines: [],
      timer: setTimeout(() => this.#writeLate(), LATER_MS),
    }
    this.#late.lines.push(...lines)
    return this.#late.promise
  }

  rewrite(lines: readonly string[]): Promise<boolean> {
    this.#writeLate()
    // What is said from now on comes after these.
    this.#batch = undefined
    return this.#afterLast(() => this.#writeAnew(lines))
  }

  async close(): Promise<void> {
    this.#writeLate()
    await this.#last
    await this.#handle?.close()
    this.#handle = undefined
  }

  #writeLate(): void {
    if (this.#late !== undefined) void this.append([])
  }

  #afterLast(deed: () => Promise<boolean>): Promise<boolean> {
    const done = this.#last.then(deed)
    this.#last = done.catch(() => undefined)
    return done
  }

  async #write(lines: readonly string[]): Promise<boolean> {
    if (this.#handle === undefined) return false
    const bytes = encoded(lines)
    try {
      // Over what a failed write may have left.
      await writeFully(this.#handle, [bytes], this.#bytes)
      this.#bytes += bytes.byteLength
      this.#count += lines.length
      return true
    } catch (error) {
      this.#options.onFailure(`write ${this.#options.path}`, error)
      return false
    }
  }

  async #writeAnew(lines: readonly string[]): Promise<boolean> {
    const { path, aside, onFailure } = this.#options
    try {
      const handle = await this.#files.open(aside, 'w')
      const bytes = encoded(lines)
      try {
        await writeFully(handle, [bytes], 0)
        await this.#files.rename(aside, path)
      } catch (error) {
        await handle.close()
        await unlinkIfThere(this.#files, aside)
        throw error
      }
      // It has no name any more, so what happens to it matters to nobody.
      await this.#handle?.close().catch(() => undefined)
      this.#handle = handle
      this.#bytes = bytes.byteLength
      this.#count = lines.length
      return true
    } catch (error) {
      onFailure(`rewrite ${path}`, error)
      return false
    }
  }
}

async function textOf(files: DiskFiles, path: string): Promise<Buffer> {
  try {
    return await files.readFile(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

function encoded(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${sumOf(line)} ${line}\n`).join(''))
}

function readLines(file: Buffer): {
  readonly lines: readonly string[]
  readonly isDamaged: boolean
  readonly bytes: number
} {
  const lines: string[] = []
  // What a kill tore stands behind the last line end: nobody was told that it is there.
  const bytes = file.lastIndexOf('\n') + 1
  let isDamaged = false
  for (const written of file.toString('utf8', 0, bytes).split('\n')) {
    if (written === '') continue
    const line = written.slice(9)
    if (written.slice(0, 9) === `${sumOf(line)} `) lines.push(line)
    else isDamaged = true
  }
  return { lines, isDamaged, bytes }
}

function sumOf(line: string): string {
  return crc32(line).toString(16).padStart(8, '0')
}
