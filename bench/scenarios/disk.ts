/** Disk: runs the benches of the disk store, which are programs of their own, and keeps what they say. */
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { output } from '../lib/ground.ts'
import type { Report } from '../lib/report.ts'
import { program } from '../lib/stage.ts'

const PROGRAMS = ['disk-start.ts', 'disk-read.ts']
const TIMEOUT_MS = 120_000

export async function disk(): Promise<Report> {
  const rows: string[][] = []
  for (const file of PROGRAMS.map(program).filter(existsSync)) {
    const text = await output('measured', process.execPath, ['--expose-gc', file], TIMEOUT_MS)
    for (const line of text.trim().split('\n')) rows.push([basename(file, '.ts'), line])
  }
  return {
    scenario: 'disk',
    how: 'What the benches of the disk store say, each run in a process of its own on a core of its own.',
    tables: [{ title: 'Disk store', columns: ['bench', 'says'], rows }],
    bounds: [],
  }
}
