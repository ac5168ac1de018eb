/** nginx: one worker, proxy_cache on a file system in memory, large bodies by sendfile, tcp_nopush off: both tried; as it is, and with its slices. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, listening } from '../lib/ground.ts'
import type { Peer } from './peer.ts'

export const nginx: Peer = called('nginx', '')

/** With ngx_http_slice_module, in slices as long as ours. */
export const slicingNginx: Peer = called(
  'nginx with slices',
  `
  slice 2m;
  proxy_cache_key $uri$slice_range;
  proxy_set_header Range $slice_range;
  proxy_cache_valid 200 206 1h;`,
)

function called(name: string, slicing: string): Peer {
  return {
    name,
    version: () => spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr.replace(/^.*: |\n/g, ''),
    async start(ground, originPort) {
      const path = mkdtempSync(join(ground.path, 'nginx-'))
      const port = await freePort()
      const file = join(path, 'nginx.conf')
      writeFileSync(file, configuration(path, port, originPort, slicing))
      const child = ground.start('measured', 'nginx', ['-p', path, '-e', join(path, 'error.log'), '-c', file])
      await listening(port, child)
      return { name, port, child }
    },
  }
}

function configuration(path: string, port: number, originPort: number, slicing: string): string {
  return `
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${path}/pid;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 19000; }
http {
  access_log off;
  client_body_temp_path ${path}/body;
  proxy_temp_path ${path}/proxy;
  fastcgi_temp_path ${path}/fastcgi;
  uwsgi_temp_path ${path}/uwsgi;
  scgi_temp_path ${path}/scgi;
  proxy_cache_path ${path}/cache levels=1:2 keys_zone=segments:16m max_size=2g inactive=1h use_temp_path=off;
  sendfile on;
  open_file_cache max=1000 inactive=60s;
  keepalive_requests 100000000;
  proxy_http_version 1.1;
  proxy_set_header Connection "";${slicing}
  proxy_buffer_size 16k;
  proxy_buffers 8 16k;
  proxy_cache segments;
  proxy_cache_lock on;
  proxy_cache_lock_age 10s;
  proxy_cache_lock_timeout 10s;
  upstream origin { server 127.0.0.1:${originPort}; keepalive 64; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { proxy_pass http://origin; }
    # Small bodies are cheaper read than sent from the file; each size gets what suits it best.
    location ~ /size=4096/ { proxy_pass http://origin; sendfile off; }
  }
}
`
}
