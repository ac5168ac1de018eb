/**
 * The manifest as it is packed: without the Node that a checkout brings along, which would put itself before the Node of
 * whoever installs the package. `strip` before packing, `restore` after it; `refuse` where a folder would be published.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const manifest = fileURLToPath(new URL('../package.json', import.meta.url))
/** Beside the packages, so that git does not see it and packing does not take it. */
const aside = fileURLToPath(new URL('../node_modules/.package.json.aside', import.meta.url))

const [, , deed] = process.argv
switch (deed) {
  case 'strip':
    strip()
    break
  case 'restore':
    restore()
    break
  case 'refuse':
    // npm tells the registry of the manifest that it reads after packing, and that one is whole again.
    process.stderr.write(
      'publish the tarball, not the folder: npm pack, then npm publish relais-<version>.tgz\n',
    )
    process.exitCode = 1
    break
  default:
    throw new Error(`expected strip, restore or refuse, came ${deed}`)
}

function strip(): void {
  // Packing that failed left it there: what lies aside is the whole one.
  restore()
  const text = readFileSync(manifest, 'utf8')
  const { optionalDependencies: _, ...rest } = JSON.parse(text) as Record<string, unknown>
  writeFileSync(aside, text)
  writeFileSync(manifest, `${JSON.stringify(rest, null, 2)}\n`)
}

function restore(): void {
  if (existsSync(aside)) renameSync(aside, manifest)
}
