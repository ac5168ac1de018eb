#!/usr/bin/env node
// The launcher: finds a Node that can run Relais, then runs it. Plain JavaScript that Node 18 can parse.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const WANTED = 24
const major = Number(process.versions.node.split('.')[0])

// Few megabytes of short-lived objects and one arena of memory: what Relais holds is in large blocks, and with Node's
// own settings the process takes a third more than it holds. Whoever sets either of them has the last word.
const YOUNG = '--max-semi-space-size'
const FLAGS = process.execArgv.some((flag) => flag.startsWith(YOUNG)) ? [] : [`${YOUNG}=4`]
const ENVIRONMENT = { MALLOC_ARENA_MAX: '1', ...process.env }
const SELF = [fileURLToPath(import.meta.url), ...process.argv.slice(2)]

if (major >= WANTED && FLAGS.length > 0 && typeof process.execve === 'function') {
  // The same process goes on with other settings: same id, same terminal, no parent that waits.
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...FLAGS, ...SELF], ENVIRONMENT)
} else if (major >= WANTED) {
  module.enableCompileCache?.()
  // A checkout runs the TypeScript as it is; an installed package carries it compiled, for Node strips no types
  // below node_modules.
  const source = new URL('../src/main.ts', import.meta.url)
  const compiled = new URL('../dist/main.js', import.meta.url)
  await import(existsSync(source) ? source.href : compiled.href)
} else {
  const node = nodeOfThePackages()
  if (node === undefined) {
    process.stderr.write(
      `relais: needs Node ${WANTED} or newer, this is ${process.version}, and its own Node is not installed (npm ci brings it on Linux)\n`,
    )
    process.exit(1)
  }
  const child = spawn(node, [...FLAGS, ...SELF], { stdio: 'inherit', env: ENVIRONMENT })
  // A terminal sends Ctrl-C to the child as well; passing it on would be the second, impatient one.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`relais: cannot run ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code === null ? 1 : code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** The path of the Node binary that npm installed beside us, or undefined where there is none for this machine. */
function nodeOfThePackages() {
  try {
    const manifest = createRequire(import.meta.url).resolve(
      `node-${process.platform}-${process.arch}/package.json`,
    )
    const node = manifest.replace(/package\.json$/, 'bin/node')
    return existsSync(node) ? node : undefined
  } catch {
    return undefined // not installed: the caller says so
  }
}
