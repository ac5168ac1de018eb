/** What was measured on, and what was measured: without it no number means anything. */
import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

/** Lines for the head of a result. */
export function describeMachine(versions: readonly string[]): string[] {
  const [cpu] = cpus()
  return [
    `- date: ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `- commit: ${commit()}`,
    `- processor: ${cpu?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores; ${Math.round(totalmem() / 2 ** 30)} GB of memory`,
    `- kernel: Linux ${release()}; load average at the end: ${loadavg()[0]?.toFixed(1)}`,
    `- versions: ${versions.join(', ')}`,
  ]
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  const isClean = git('status', '--porcelain', '--', '../../src') === ''
  return `${git('rev-parse', '--short', 'HEAD')}${isClean ? '' : ', and changes in src that are not committed'}`
}
