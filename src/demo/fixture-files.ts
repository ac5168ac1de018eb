/** The files that the demo origin serves as they lie on disk: few and small, so they are read once and kept. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Instant } from '../rfc/heads.ts'
import type { Resource } from './resource.ts'
import { makeResource } from './resource.ts'
import type { Title } from './title.ts'

/** By absolute path. What is not a key cannot be reached, so there is no path to climb out of. */
export type FixtureFiles = ReadonlyMap<string, Resource>

/**
 * Every file under `folder`, with `mount` (which ends in a slash) before its path in there. Rejects with a whole
 * sentence when there is no such folder.
 */
export async function readFixtureFiles(
  folder: URL,
  mount: string,
  cacheControl?: string,
): Promise<FixtureFiles> {
  const root = fileURLToPath(folder)
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new Error(`The demo serves the files under ${root}, and they are not there.`, { cause })
  })
  const files = new Map<string, Resource>()
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = join(entry.parentPath, entry.name)
    const path = mount + file.slice(root.length).split(sep).join('/')
    const [bytes, { mtimeMs }] = await Promise.all([readFile(file), stat(file)])
    files.set(path, makeResource(path, bytes, mtimeMs, cacheControl))
  }
  return files
}

/** The facts of a title and when they were made, from its title.json, which only scripts/write-manifests.mjs writes. */
export function titleOf(files: FixtureFiles, path: string): { title: Title; madeAt: Instant } {
  const file = files.get(path)
  if (file === undefined) throw new Error(`The demo needs ${path}; scripts/make-fixtures.sh makes it.`)
  return { title: JSON.parse(new TextDecoder().decode(file.bytes)) as Title, madeAt: file.lastModifiedAt }
}
