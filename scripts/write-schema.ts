/** Writes docs/config.schema.json and the tables of docs/configuration.md: npm run schema. */
import { readFileSync, writeFileSync } from 'node:fs'
import { schemaText, withTables } from './config-docs.ts'

const docs = new URL('../docs/', import.meta.url)
const page = new URL('configuration.md', docs)

writeFileSync(new URL('config.schema.json', docs), schemaText())
writeFileSync(page, withTables(readFileSync(page, 'utf8')))
