/** Varnish: malloc storage, one thread pool, no log reader; its manager and its child are one family. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, listening } from '../lib/ground.ts'
import type { Peer } from './peer.ts'

export const varnish = varnishWith('')

/** With a VCL of its own behind the backend. */
export function varnishWith(vcl: string): Peer {
  return {
    name: 'Varnish',
    version: () => {
      const { stderr } = spawnSync('varnishd', ['-V'], { encoding: 'utf8' })
      return /^varnishd \((\S+)/.exec(stderr)?.[1] ?? 'varnish, unknown'
    },
    async start(ground, originPort) {
      const path = join(ground.path, 'varnish')
      mkdirSync(path)
      const port = await freePort()
      const file = join(path, 'bench.vcl')
      writeFileSync(
        file,
        `vcl 4.1;\nbackend origin { .host = "127.0.0.1"; .port = "${originPort}"; }\n${vcl}`,
      )
      const args = ['-F', '-j', 'none', '-n', join(path, 'work'), '-f', file, '-s', 'malloc,1G']
      const parameters = ['thread_pools=1', 'thread_pool_min=100', 'thread_pool_max=2000']
      const child = ground.start('measured', 'varnishd', [
        ...args,
        ...['-a', `127.0.0.1:${port}`],
        ...parameters.flatMap((parameter) => ['-p', parameter]),
      ])
      await listening(port, child)
      return { name: 'Varnish', port, child }
    },
  }
}
