/** nginx serving the fixtures as files, for tests against an origin that is not ours. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from './barrier.ts'
import { freePort } from './free-port.ts'

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url))

export function hasNginx(): boolean {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' })
    return true
  } catch {
    return false // not installed; the test says that it was skipped
  }
}

/** Its address; `/vod/` are the fixtures, as the demo origin has them. Ended when the test is over. */
export async function openNginx(t: TestContext): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'relais-nginx-'))
  const port = await freePort()
  const conf = join(folder, 'nginx.conf')
  writeFileSync(conf, configuration(folder, port))
  const child = spawn('nginx', ['-c', conf, '-p', folder, '-e', 'stderr'], { stdio: 'ignore' })
  t.after(async () => {
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}`
  await until(
    () =>
      fetch(`${url}/vod/`).then(
        () => true,
        () => false,
      ),
    'nginx answers',
  )
  return url
}

function configuration(folder: string, port: number): string {
  return `
    daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log stderr;
    events { worker_connections 256; }
    http {
      access_log off;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      types {
        application/vnd.apple.mpegurl m3u8; application/dash+xml mpd;
        video/mp2t ts; video/mp4 mp4 m4s; text/vtt vtt;
      }
      server {
        listen 127.0.0.1:${port};
        location /vod/ { alias ${FIXTURES}; add_header access-control-allow-origin *; }
      }
    }`
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve()
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}
