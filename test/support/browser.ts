/** A real Chromium for tests that play: unpacked once per version, opened per test, closed after it. */
import { execFile } from 'node:child_process'
import { access, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { chromium } from 'playwright-core'

const UNPACK = `import chromium from '@sparticuz/chromium'; await chromium.executablePath()`

/** Its own flags, not those of the package, which are made for one process in a lambda and switch off web security. */
const FLAGS = ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required']

/** A headless Chromium that decodes H.264 and AAC and may start playing by itself; closed when the test is over. */
export async function openBrowser(t: TestContext): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: await unpackedChromium(), args: FLAGS })
  t.after(() => browser.close())
  return browser
}

/**
 * The package unpacks into the system's temporary folder and takes whatever lies there already: another version, or the
 * half of a file.
 *
 * 1. Test processes A and B start together, and neither finds the folder of this version.
 * 2. Each unpacks into a folder of its own, in a process of its own whose TMPDIR that is.
 * 3. A renames its folder to the name of the version. B's rename fails, B drops its folder and takes A's.
 */
async function unpackedChromium(): Promise<string> {
  const folder = join(tmpdir(), `relais-chromium-${await chromiumVersion()}`)
  const executable = join(folder, 'chromium')
  if (await exists(executable)) return executable
  const own = await mkdtemp(join(tmpdir(), 'relais-chromium-unpacking-'))
  try {
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', UNPACK], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      env: { ...process.env, TMPDIR: own },
    })
    await rename(own, folder)
  } catch (error) {
    await rm(own, { recursive: true, force: true })
    if (!(await exists(executable))) throw error
  }
  return executable
}

async function chromiumVersion(): Promise<string> {
  const manifest = new URL('../package.json', import.meta.resolve('@sparticuz/chromium'))
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string }
  return version
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
