/** Apache Traffic Server: one event thread, hits from its RAM cache, readers let in while a writer still writes. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, listening } from '../lib/ground.ts'
import type { Peer } from './peer.ts'

export const trafficServer: Peer = {
  name: 'Traffic Server',
  version: () => {
    const { stdout } = spawnSync('traffic_layout', ['info', '--versions', '--json'], { encoding: 'utf8' })
    return `trafficserver-${/"release_version":\s*"?([\d.]+)/.exec(stdout)?.[1] ?? 'unknown'}`
  },
  async start(ground, originPort) {
    const path = join(ground.path, 'traffic-server')
    for (const name of ['etc', 'cache', 'run', 'log']) mkdirSync(join(path, name), { recursive: true })
    const port = await freePort()
    const write = (name: string, lines: readonly string[]): void =>
      writeFileSync(join(path, name), `${lines.join('\n')}\n`)
    write('runroot.yaml', LAYOUT(path))
    write('etc/records.config', records(port))
    write('etc/remap.config', [`map / http://127.0.0.1:${originPort}/`])
    write('etc/storage.config', [`${join(path, 'cache')} 512M`])
    write('etc/ip_allow.yaml', IP_ALLOW)
    write('etc/plugin.config', [])
    const child = ground.start('measured', 'traffic_server', [`--run-root=${join(path, 'runroot.yaml')}`])
    await listening(port, child)
    return { name: trafficServer.name, port, child }
  },
}

const LAYOUT = (path: string): string[] => [
  `prefix: ${path}`,
  `sysconfdir: ${path}/etc`,
  `cachedir: ${path}/cache`,
  `runtimedir: ${path}/run`,
  `logdir: ${path}/log`,
  `localstatedir: ${path}/run`,
  `datadir: ${path}/cache`,
  'bindir: /usr/bin',
  'libexecdir: /usr/lib/trafficserver/modules',
]

const IP_ALLOW = [
  'ip_allow:',
  '  - apply: in',
  '    ip_addrs: 127.0.0.1',
  '    action: allow',
  '    methods: ALL',
]

function records(port: number): string[] {
  const integers = {
    'exec_thread.autoconfig': 0,
    'exec_thread.limit': 1,
    accept_threads: 0,
    task_threads: 1,
    'cache.threads_per_disk': 2,
    'cache.ram_cache.size': 1024 ** 3,
    'cache.ram_cache_cutoff': 16 * 1024 ** 2,
    'cache.enable_read_while_writer': 1,
    'http.background_fill_active_timeout': 0,
    'http.cache.max_open_read_retries': 100,
    'http.cache.open_read_retry_time': 20,
    'http.keep_alive_no_activity_timeout_in': 120,
    'net.max_connections_in': 19_000,
    'net.connections_throttle': 19_500,
    'log.logging_enabled': 0,
    'url_remap.remap_required': 1,
    'reverse_proxy.enabled': 1,
  }
  return [
    `CONFIG proxy.config.http.server_ports STRING ${port}:ip-in=127.0.0.1`,
    // Its own documentation for reading while writing: the fill must not end with the first viewer.
    'CONFIG proxy.config.http.background_fill_completed_threshold FLOAT 0.0',
    'CONFIG proxy.config.admin.user_id STRING #-1',
    ...Object.entries(integers).map(([name, value]) => `CONFIG proxy.config.${name} INT ${value}`),
  ]
}
