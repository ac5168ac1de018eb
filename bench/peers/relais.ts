/** Relais, as it lies in the checkout: one process, started as the launcher starts it. */
import { closeSync, mkdirSync, mkdtempSync, openSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { freePort, listening } from '../lib/ground.ts'
import type { Peer } from './peer.ts'

export interface RelaisSetting {
  readonly name: string
  /** The directory that holds src/; another than this checkout's, to measure a change beside it. */
  readonly checkout?: string
  readonly hasAccessLog?: boolean
  readonly memory?: string
  /** Whether responses go to a disk as well: a directory of the ground. */
  readonly hasDisk?: boolean
  /** What of them is held there, `'1GB'` when not said. */
  readonly disk?: string
  readonly nodeFlags?: readonly string[]
  /** A channel to whatever `nodeFlags` import. */
  readonly hasChannel?: boolean
  /** What its configuration says of its siblings; `name` is then what they call it. */
  readonly cluster?: object
}

export const HERE = join(import.meta.dirname, '..', '..')

export function relais(setting: RelaisSetting): Peer {
  const { name, checkout = HERE, hasAccessLog = false, memory = '1GB', hasDisk = false } = setting
  return {
    name,
    version: () => `Relais on Node ${process.version}`,
    async start(ground, originPort) {
      const path = mkdtempSync(join(ground.path, 'relais-'))
      const port = await freePort()
      const file = join(path, 'proxy.config.json')
      const disk = { path: hasDisk ? join(path, 'disk') : 'none', maxBytes: setting.disk ?? '1GB' }
      if (hasDisk) mkdirSync(disk.path)
      const config = {
        node: setting.cluster === undefined ? 'bench' : name,
        listen: { host: '127.0.0.1', port },
        routes: [{ prefix: '/', origins: [`http://127.0.0.1:${originPort}`] }],
        memory: { maxBytes: memory },
        disk,
        log: { access: hasAccessLog },
        ...(setting.cluster === undefined ? {} : { cluster: setting.cluster }),
      }
      writeFileSync(file, JSON.stringify(config))
      const nothing = openSync('/dev/null', 'w')
      const errors = openSync(join(path, 'stderr'), 'w')
      const args = [...(setting.nodeFlags ?? []), join(checkout, 'bin/relais.mjs'), '--config', file]
      const child = ground.start('measured', process.execPath, args, {
        stdio: setting.hasChannel === true ? ['ignore', nothing, errors, 'ipc'] : ['ignore', nothing, errors],
      })
      closeSync(nothing)
      closeSync(errors)
      await listening(port, child)
      return { name, port, child }
    },
  }
}

/** The src of another directory, beside this one. */
export function otherRelais(checkout: string): Peer {
  return relais({ name: `Relais of ${basename(checkout)}`, checkout })
}
