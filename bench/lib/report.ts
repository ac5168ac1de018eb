/** What a scenario found: tables and bounds, said on the terminal and kept in a file with the machine. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeMachine } from './machine.ts'
import { shown } from './statistics.ts'

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number)[])[]
}

/** Something that must be so. */
export interface Bound {
  readonly law: string
  readonly measured: number
  readonly most: number
  readonly unit: string
}

export interface Report {
  readonly scenario: string
  /** How it was measured, in a sentence or two. */
  readonly how: string
  readonly tables: readonly Table[]
  readonly bounds: readonly Bound[]
}

const RESULTS = join(import.meta.dirname, '..', 'results')

/** The last result of a scenario takes the place of the one before. */
export function publish(report: Report, versions: readonly string[]): void {
  const { scenario, how, tables, bounds } = report
  const body = [how, ...tables.map(markdown), ...(bounds.length === 0 ? [] : [markdown(tableOf(bounds))])]
  process.stdout.write(`\n${[`# ${scenario}`, ...body].join('\n\n')}\n`)
  mkdirSync(RESULTS, { recursive: true })
  const written = [`# Bench: ${scenario}`, describeMachine(versions).join('\n'), ...body].join('\n\n')
  writeFileSync(join(RESULTS, `${scenario}.md`), `${written}\n`)
}

export function isMet({ measured, most }: Bound): boolean {
  return measured <= most
}

function tableOf(bounds: readonly Bound[]): Table {
  return {
    title: 'Bounds',
    columns: ['', 'measured', 'at most', 'met'],
    rows: bounds.map((bound) => [
      bound.law,
      `${shown(bound.measured)} ${bound.unit}`,
      `${bound.most} ${bound.unit}`,
      isMet(bound) ? 'yes' : '**NO**',
    ]),
  }
}

function markdown({ title, columns, rows }: Table): string {
  const cells = [
    columns,
    ...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? shown(cell) : cell))),
  ]
  const widths = columns.map((_, column) => Math.max(3, ...cells.map((row) => (row[column] ?? '').length)))
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  const [head = [], ...rest] = cells
  return [`**${title}**`, '', line(head), rule, ...rest.map(line)].join('\n')
}
