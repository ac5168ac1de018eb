/** Fetching on order: jobs that ask for what they want as viewers do, where the origin has room for it. */
import { randomBytes } from 'node:crypto'
import { RelaisError } from '../../errors.ts'
import type { Instant, RequestHead } from '../../rfc/heads.ts'
import type { Source } from '../../upstream/source.ts'
import type { Answer } from '../answer.ts'
import type { CacheContext } from '../journey.ts'
import type { Route } from '../routes.ts'
import type { JobOrder } from './job-order.ts'
import { planOf } from './job-plan.ts'

/** Jobs under way at once. */
const MAX_RUNNING = 8
/** Those that are over and still known. */
const MAX_OVER = 64
const REMEMBERED_MS = 60 * 60_000
/** Failures that are told one by one. */
const MAX_TOLD = 50
/** How long a job waits for room at the origin before it looks again, and how often in vain. */
const LOOK_AGAIN_MS = 100
const MAX_LOOKS = 600
/** For one address, however slowly it comes. */
const LONGEST_MS = 10 * 60_000

export interface JobsContext extends Pick<CacheContext, 'routeOf' | 'manifests' | 'clock'> {
  /** Percent of the connections of an origin. */
  readonly share: number
  readonly answer: (route: Route, request: RequestHead, signal: AbortSignal) => Promise<Answer>
}

/** How far a job is. wanted = stored + present + failed + those that are still to come. */
export interface JobProgress {
  readonly id: string
  readonly state: 'planning' | 'running' | 'done' | 'cancelled'
  readonly wanted: number
  /** Fetched, and kept here or by the node of the cluster whose it is. */
  readonly stored: number
  /** Were there already. */
  readonly present: number
  readonly failed: number
  /** Of bodies that were fetched. */
  readonly bytes: number
  /** The first of those that failed. */
  readonly failures: readonly { readonly target: string; readonly reason: string }[]
  /** False: the manifest lists more than a job may want. */
  readonly complete: boolean
}

export interface JobStats {
  readonly running: number
  readonly stored: number
  readonly failed: number
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

interface Job {
  readonly progress: Mutable<JobProgress> & { failures: { target: string; reason: string }[] }
  readonly controller: AbortController
  overAt: Instant | undefined
}

export class Jobs {
  readonly #context: JobsContext
  readonly #jobs = new Map<string, Job>()
  readonly #underWay = new Map<Source, number>()
  #stored = 0
  #failed = 0

  constructor(context: JobsContext) {
    this.#context = context
  }

  /** Throws TOO_MANY_JOBS. */
  start(order: JobOrder): JobProgress {
    this.#forgetOld()
    if (this.#running >= MAX_RUNNING) throw new RelaisError('TOO_MANY_JOBS', { retryAfterSeconds: 10 })
    const id = randomBytes(9).toString('base64url')
    const counts = { wanted: 0, stored: 0, present: 0, failed: 0, bytes: 0 }
    const progress = { id, state: 'planning' as const, ...counts, failures: [], complete: true }
    const job: Job = { progress, controller: new AbortController(), overAt: undefined }
    this.#jobs.set(id, job)
    void this.#run(job, order)
    return job.progress
  }

  /** Undefined: there is none of this name, or it was over an hour ago. */
  progress(id: string): JobProgress | undefined {
    this.#forgetOld()
    return this.#jobs.get(id)?.progress
  }

  /** What is under way for viewers as well goes on. Undefined: there is none of this name. */
  cancel(id: string): JobProgress | undefined {
    const job = this.#jobs.get(id)
    if (job === undefined) return undefined
    if (job.overAt === undefined) {
      job.progress.state = 'cancelled'
      job.controller.abort(new Error('the job was cancelled'))
    }
    return job.progress
  }

  stats(): JobStats {
    return { running: this.#running, stored: this.#stored, failed: this.#failed }
  }

  close(): void {
    for (const id of this.#jobs.keys()) this.cancel(id)
  }

  get #running(): number {
    return [...this.#jobs.values()].filter(({ overAt }) => overAt === undefined).length
  }

  async #run(job: Job, order: JobOrder): Promise<void> {
    const { progress, controller } = job
    try {
      const targets = await this.#targets(job, order)
      progress.wanted += targets.length
      if (!controller.signal.aborted) progress.state = 'running'
      await this.#fetchAll(job, targets)
    } catch (error) {
      if (!controller.signal.aborted)
        this.#failedOf(job, order.kind === 'manifest' ? order.manifest : '', error)
    }
    job.overAt = this.#context.clock()
    if (!controller.signal.aborted) progress.state = 'done'
  }

  async #targets(job: Job, order: JobOrder): Promise<readonly string[]> {
    if (order.kind === 'urls') return order.urls
    const { manifests, clock } = this.#context
    const onFailure = (target: string, error: unknown): void => {
      job.progress.wanted++
      this.#failedOf(job, target, error)
    }
    const read = async (target: string): Promise<{ bytes: Uint8Array; kind: string }> => {
      const chunks: Uint8Array[] = []
      const kind = await this.#fetch(job, target, (chunk) => chunks.push(chunk))
      job.progress.wanted++
      return { bytes: Buffer.concat(chunks), kind }
    }
    const plan = await planOf(order, { manifests, clock, read, onFailure })
    job.progress.complete = plan.isComplete
    return plan.targets
  }

  async #fetchAll(job: Job, targets: readonly string[]): Promise<void> {
    const underWay = new Set<Promise<void>>()
    for (const target of targets) {
      await this.#room(job, target, underWay)
      if (job.controller.signal.aborted) break
      const fetched = this.#fetch(job, target)
        .then(
          () => undefined,
          (error: unknown) => this.#failedOf(job, target, error),
        )
        .finally(() => underWay.delete(fetched))
      underWay.add(fetched)
    }
    await Promise.all(underWay)
  }

  /** Waits until the origin has room for what nobody waits for; rejects when it has none for long. */
  async #room(job: Job, target: string, underWay: ReadonlySet<Promise<void>>): Promise<void> {
    const source = this.#context.routeOf(target)?.source
    for (let look = 0; source !== undefined && !job.controller.signal.aborted; look++) {
      const mine = this.#underWay.get(source) ?? 0
      const spare = source.spare?.(this.#context.share) ?? 1
      if (mine < spare) return
      if (look >= MAX_LOOKS && mine === 0) throw new Error('the origin had no room for a minute')
      const { promise: again, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, LOOK_AGAIN_MS)
      await Promise.race([again, ...underWay])
      clearTimeout(timer)
    }
  }

  /** Answers what kind of thing it is. Rejects with why it is not in store, here or where it belongs. */
  async #fetch(job: Job, target: string, onChunk?: (chunk: Uint8Array) => void): Promise<string> {
    const route = this.#context.routeOf(target)
    if (route === undefined) throw new RelaisError('NO_ROUTE')
    const { source } = route
    this.#underWay.set(source, (this.#underWay.get(source) ?? 0) + 1)
    const signal = AbortSignal.any([job.controller.signal, AbortSignal.timeout(LONGEST_MS)])
    try {
      const answer = await this.#context.answer(route, { method: 'GET', target, fields: {} }, signal)
      if (answer.kind === 'passed') {
        answer.response.cancel()
        throw new Error(`not kept: ${answer.status.detail ?? `status ${answer.response.head.status}`}`)
      }
      const { head, body } = answer.stored
      let bytes = 0
      for await (const chunk of body.read(undefined, signal)) {
        bytes += chunk.byteLength
        onChunk?.(chunk)
      }
      if (head.status !== 200) throw new Error(`status ${head.status}`)
      // Of a sibling that keeps it for all of them it has come into store there.
      if (answer.status.stored === false && head.copy === undefined) throw new Error('not kept: no room')
      const { progress } = job
      if (answer.status.hit) {
        progress.present++
      } else {
        progress.stored++
        progress.bytes += bytes
        this.#stored++
      }
      return head.kind
    } finally {
      const left = (this.#underWay.get(source) ?? 1) - 1
      if (left > 0) this.#underWay.set(source, left)
      else this.#underWay.delete(source)
    }
  }

  #failedOf({ progress, controller }: Job, target: string, error: unknown): void {
    if (controller.signal.aborted) return
    progress.failed++
    this.#failed++
    const reason =
      error instanceof RelaisError ? error.code : error instanceof Error ? error.message : String(error)
    if (progress.failures.length < MAX_TOLD) progress.failures.push({ target, reason })
  }

  #forgetOld(): void {
    const now = this.#context.clock()
    const over = [...this.#jobs].filter(([, { overAt }]) => overAt !== undefined)
    for (const [index, [id, { overAt = now }]] of over.entries())
      if (now - overAt > REMEMBERED_MS || over.length - index > MAX_OVER) this.#jobs.delete(id)
  }
}
