/** Disk stores in directories of their own, and what lies in these. */
import { mkdtemp, readdir, readlink, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { DiskStore, type DiskStoreOptions } from '../../../src/store/disk/disk-store.ts'
import type { DiskEvent } from '../../../src/store/disk/health.ts'
import { CONTRACT_BOUNDS } from '../../contract/store.ts'

export interface DiskUnderTest {
  store: DiskStore
  readonly path: string
  readonly events: DiskEvent[]
  /** Closes the store and opens it again in the same directory. */
  readonly reopen: (differing?: Partial<DiskStoreOptions>) => Promise<DiskStore>
}

/** The stores a test has open: they are closed before their directory is removed, since closing writes. */
const opened = new WeakMap<TestContext, DiskStore[]>()

/** An empty directory, removed after the test. */
export async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'relais-disk-'))
  const stores: DiskStore[] = []
  opened.set(t, stores)
  t.after(async () => {
    for (const store of stores) await store.close()
    await rm(path, { recursive: true, force: true })
  })
  return path
}

/** An open disk store that has looked through its empty directory. */
export async function disk(
  t: TestContext,
  differing: Partial<DiskStoreOptions> = {},
): Promise<DiskUnderTest> {
  const events: DiskEvent[] = []
  const path = differing.path ?? (await directory(t))
  const options = { ...CONTRACT_BOUNDS, log: (event: DiskEvent) => events.push(event), ...differing, path }
  const open = async (more: Partial<DiskStoreOptions> = {}): Promise<DiskStore> => {
    const store = await DiskStore.open({ ...options, ...more })
    opened.get(t)?.push(store)
    return store
  }
  const under: DiskUnderTest = {
    store: await open(),
    path,
    events,
    reopen: async (more) => {
      await under.store.close()
      under.store = await open(more)
      return under.store
    },
  }
  await under.store.reconciled
  return under
}

/** All files below a directory with their sizes; one that goes meanwhile is left out. */
export async function filesIn(path: string): Promise<{ path: string; bytes: number }[]> {
  const files: { path: string; bytes: number }[] = []
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    const found = await stat(file).catch(() => undefined)
    if (found !== undefined) files.push({ path: file, bytes: found.size })
  }
  return files
}

/** The only file whose path ends so. */
export async function onlyFile(path: string, ending: string): Promise<string> {
  const found = (await filesIn(path)).filter((file) => file.path.endsWith(ending))
  const [file] = found
  if (file === undefined || found.length > 1) throw new Error(`${found.length} files end in ${ending}`)
  return file.path
}

/** The descriptors of this process that lead below `path`. */
export async function descriptorsIn(path: string): Promise<string[]> {
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
  return (await Promise.all(links)).filter((target) => target.startsWith(path))
}
