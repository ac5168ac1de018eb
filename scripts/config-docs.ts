/** The configuration as editors and people are given it: the JSON schema, and the tables of docs/configuration.md. */
import { configNode, publishedSchema, type SchemaNode } from '../src/config/schema.ts'

/** The text of docs/config.schema.json. */
export function schemaText(): string {
  const schema = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...publishedSchema() }
  return `${onOneLine(onOneLine(JSON.stringify(schema, null, 2)))}\n`
}

/** Lists of plain values, and then lists of such lists, as the formatter has them. */
function onOneLine(json: string): string {
  return json.replace(/\[\n([^{}\n]*(?:\n[^{}\n]*)*?)\n *\]/g, (_, entries: string) => {
    return `[${entries
      .split(',\n')
      .map((entry) => entry.trim())
      .join(', ')}]`
  })
}

/** One option as a row: `disk.path`, `routes[].prefix`. */
export interface Row {
  readonly key: string
  readonly node: SchemaNode
  readonly isRequired: boolean
}

/** Every option that takes a value, in the order of the schema. */
export function rowsOf(node: SchemaNode = configNode, path = ''): Row[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const key = path === '' ? name : `${path}.${name}`
    if (child.type === 'object') return rowsOf(child, key)
    if (child.items?.type === 'object') return rowsOf(child.items, `${key}[]`)
    return [{ key, node: child, isRequired: node.required?.includes(name) === true }]
  })
}

/** The table of one section (`memory`, `routes[]`), or of the options that stand by themselves (``). */
export function table(section: string): string {
  const rows = rowsOf().filter(({ key }) => key.slice(0, Math.max(0, key.lastIndexOf('.'))) === section)
  return ['| key | default | |', '|---|---|---|', ...rows.map(rowText)].join('\n')
}

/** The document with each table between its markers made anew: `<!-- options: memory -->` … `<!-- end -->`. */
export function withTables(markdown: string): string {
  return markdown.replace(
    /(<!-- options: ?(\S*) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, start: string, section: string, end: string) => `${start}\n${table(section)}\n\n${end}`,
  )
}

function rowText({ key, node, isRequired }: Row): string {
  const words =
    node.enum === undefined ? '' : ` One of ${node.enum.map((word) => `\`${String(word)}\``).join(', ')}.`
  return `| \`${key}\` | ${defaultOf(node, isRequired)} | ${node.description ?? ''}${words} |`.replaceAll(
    /\s+/g,
    ' ',
  )
}

function defaultOf(node: SchemaNode, isRequired: boolean): string {
  if (node['x-default'] !== undefined) return node['x-default']
  if (node.default !== undefined) return `\`${JSON.stringify(node.default)}\``
  return isRequired ? 'required' : ''
}
