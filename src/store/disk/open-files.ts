/** The files open for reading: shared by those who read the same, closed when nobody does. */
import type { FileHandle } from 'node:fs/promises'
import type { DiskFiles } from './files.ts'

/** Files kept open though nobody reads them: a response is found a moment before it is read. */
const MAX_IDLE = 16

interface OpenFile {
  readonly path: string
  readonly handle: Promise<FileHandle>
  readers: number
  isRemoved: boolean
  /** Resolves when the descriptor is closed. */
  readonly closed: Promise<void>
  readonly close: () => void
}

/** A file open for one reader, who must call `release` once. */
export interface Lease {
  readonly handle: FileHandle
  release(): void
}

export class OpenFiles {
  readonly #files: DiskFiles
  readonly #open = new Map<string, OpenFile>()
  /** Those nobody reads, idle for longest first. */
  readonly #idle = new Set<OpenFile>()
  #isClosed = false

  constructor(files: DiskFiles) {
    this.#files = files
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Opens the file unless it is open. It stays readable for the lease when it is removed meanwhile. */
  async lease(path: string): Promise<Lease> {
    if (this.#isClosed) throw new Error('the disk store is closed')
    const file = this.#open.get(path) ?? this.#keep(path, this.#files.open(path, 'r'))
    file.readers++
    this.#idle.delete(file)
    try {
      const handle = await file.handle
      return { handle, release: () => this.#release(file) }
    } catch (error) {
      file.readers--
      this.#forget(file)
      throw error
    }
  }

  /** Takes over a descriptor that is open already, and will close it. */
  adopt(path: string, handle: FileHandle): void {
    const file = this.#keep(path, Promise.resolve(handle))
    file.readers++
    this.#release(file)
  }

  /** The file was removed. Answers when the system lets go of its bytes; undefined: it has. */
  removed(path: string): Promise<void> | undefined {
    const file = this.#open.get(path)
    if (file === undefined) return undefined
    file.isRemoved = true
    return file.closed
  }

  /** Closes the removed files that nobody reads at the moment. Undefined: there is none; else settles when they are closed. */
  closeIdleRemoved(): Promise<unknown> | undefined {
    const removed = [...this.#idle].filter((file) => file.isRemoved)
    for (const file of removed) this.#close(file)
    return removed.length === 0 ? undefined : Promise.all(removed.map((file) => file.closed))
  }

  /** Files still being read are closed when their readers leave. */
  async close(): Promise<void> {
    this.#isClosed = true
    const idle = [...this.#idle]
    for (const file of idle) this.#close(file)
    await Promise.all(idle.map((file) => file.closed))
  }

  #keep(path: string, handle: Promise<FileHandle>): OpenFile {
    const { promise: closed, resolve: close } = Promise.withResolvers<void>()
    const file = { path, handle, readers: 0, isRemoved: false, closed, close }
    this.#open.set(path, file)
    return file
  }

  #release(file: OpenFile): void {
    file.readers--
    if (file.readers > 0) return
    this.#idle.add(file)
    for (const oldest of this.#idle) {
      if (this.#idle.size <= MAX_IDLE && !this.#isClosed) return
      this.#close(oldest)
    }
  }

  #close(file: OpenFile): void {
    this.#forget(file, false)
    const closing = file.handle.then((handle) => handle.close())
    // A descriptor that cannot be closed is gone all the same, and it was only read from.
    closing.then(file.close, file.close)
  }

  #forget(file: OpenFile, isClosed = true): void {
    this.#idle.delete(file)
    if (this.#open.get(file.path) === file) this.#open.delete(file.path)
    if (isClosed) file.close()
  }
}
