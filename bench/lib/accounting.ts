/** What the kernel has booked on a process and all that it has started: processor time and memory. */
import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ, in which /proc tells times; it is 100 on every Linux of our platforms. */
const TICKS_PER_SECOND = 100

/** The process and its children and theirs: nginx has workers, Varnish a child that does the work. */
export function familyOf(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined
    if (stat !== undefined) parents.set(Number(name), stat.parent)
  }
  const family = [pid]
  for (const member of family) {
    for (const [child, parent] of parents) if (parent === member) family.push(child)
  }
  return family
}

/** User and system time of the whole family, threads included, in microseconds; exact to 10 ms a process. */
export function cpuMicros(pid: number): number {
  let ticks = 0
  for (const member of familyOf(pid)) ticks += statOf(member)?.ticks ?? 0
  return (ticks * 1e6) / TICKS_PER_SECOND
}

/** How long each processor was busy and was not since the machine began, in ticks; by its number. */
export function coreTicks(): readonly { readonly busy: number; readonly idle: number }[] {
  const lines = readFileSync('/proc/stat', 'utf8').match(/^cpu\d+ .*/gm) ?? []
  return lines.map((line) => {
    // user nice system idle iowait irq softirq (proc(5)); waiting for a disk is idleness.
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0] = line
      .split(' ')
      .slice(1)
      .map(Number)
    return { busy: user + nice + system + irq + soft, idle: idle + wait }
  })
}

/** What lies in memory of one process: now, and at most since it began, as the kernel keeps it (no peak is missed). */
export function residentBytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const of = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
  return { now: of('VmRSS'), peak: of('VmHWM') }
}

/** Undefined: it has gone meanwhile. */
function statOf(pid: number): { parent: number; ticks: number } | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined // a process may end at any moment
  }
  // The name stands in brackets and may hold spaces and brackets itself (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }
}
