/** A thread that does one job after the other: started when there is one, and begun anew when it fails. */
import { Worker } from 'node:worker_threads'

export interface ThreadOptions {
  readonly file: URL
  /** What the thread is told at its start: plain data. */
  readonly told: unknown
  /** A job that takes longer is given up, and the thread with it. */
  readonly jobTimeoutMs: number
  /** Of jobs that wait; one is always taken. */
  readonly maxWaitingBytes: number
  /** Of the thread's own memory. */
  readonly maxHeapMegabytes: number
}

export interface Job {
  readonly message: unknown
  /** Buffers that go over to the thread, and are lost where it fails. */
  readonly transfer: readonly ArrayBuffer[]
  readonly bytes: number
}

/** What can go over to another thread without a copy; undefined: it is a part of something larger. */
export function wholeBuffer(bytes: Uint8Array | undefined): ArrayBuffer | undefined {
  if (bytes === undefined || !(bytes.buffer instanceof ArrayBuffer)) return undefined
  return bytes.buffer.byteLength === bytes.byteLength ? bytes.buffer : undefined
}

/** Why a job was not done. */
export class Undone extends Error {}

interface Waiting extends Job {
  readonly resolve: (answer: unknown) => void
  readonly reject: (why: Undone) => void
}

export class Thread {
  readonly #options: ThreadOptions
  readonly #queue: Waiting[] = []
  #waitingBytes = 0
  #worker: Worker | undefined
  #current: { readonly job: Waiting; readonly timer: NodeJS.Timeout } | undefined
  #isClosed = false

  constructor(options: ThreadOptions) {
    this.#options = options
  }

  /** What the thread answers. Rejects with Undone: it failed, took too long, has too much to do, or is closed. */
  run(job: Job): Promise<unknown> {
    const { maxWaitingBytes } = this.#options
    if (this.#isClosed) return Promise.reject(new Undone('the thread is closed'))
    if (this.#queue.length > 0 && this.#waitingBytes + job.bytes > maxWaitingBytes) {
      const came = `${job.bytes} more than the ${this.#waitingBytes} that wait`
      return Promise.reject(new Undone(`expected at most ${maxWaitingBytes} bytes to wait, came ${came}`))
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...job, resolve, reject })
      this.#waitingBytes += job.bytes
      this.#next()
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#fail(new Undone('the thread is closed'))
    for (const job of this.#queue.splice(0)) job.reject(new Undone('the thread is closed'))
  }

  #next(): void {
    if (this.#current !== undefined || this.#isClosed) return
    const job = this.#queue.shift()
    if (job === undefined) return
    this.#waitingBytes -= job.bytes
    const { jobTimeoutMs } = this.#options
    const timer = setTimeout(() => {
      void this.#fail(new Undone(`expected an answer of the thread within ${jobTimeoutMs} ms, came none`))
    }, jobTimeoutMs)
    this.#current = { job, timer }
    this.#worker ??= this.#start()
    this.#worker.postMessage(job.message, [...job.transfer])
  }

  #start(): Worker {
    const { file, told, maxHeapMegabytes } = this.#options
    const worker = new Worker(file, {
      workerData: told,
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMegabytes },
    })
    // It waits for work all its life, and must not keep the process.
    worker.unref()
    const onFailure = (why: string, cause?: unknown): void => {
      if (this.#worker === worker) void this.#fail(new Undone(why, { cause }))
    }
    worker.on('message', (answer: unknown) => {
      if (this.#worker === worker) this.#end()?.resolve(answer)
      this.#next()
    })
    worker.on('error', (error) => onFailure(`the thread failed: ${String(error)}`, error))
    worker.on('messageerror', (error) => onFailure('the answer of the thread could not be read', error))
    worker.on('exit', (code) => onFailure(`the thread ended with code ${code}`))
    return worker
  }

  /** The job under way, which is it no more. */
  #end(): Waiting | undefined {
    const current = this.#current
    this.#current = undefined
    clearTimeout(current?.timer)
    return current?.job
  }

  /** Nothing is known of a thread that has failed; the jobs that wait have another one. */
  async #fail(why: Undone): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    this.#end()?.reject(why)
    this.#next()
    await worker?.terminate()
  }
}
