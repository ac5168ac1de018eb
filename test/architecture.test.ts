/** The plan of the house: who may import whom. DESIGN: imports run downwards only. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))

/** From the roof to the ground. A room imports from rows below its own only, and from itself. */
const ROWS: readonly (readonly string[])[] = [
  ['main'],
  ['server'],
  ['config'],
  ['http', 'ops'],
  ['cache'],
  ['siblings'],
  // What a purge is lies as low as this, for the cache applies it and the siblings carry it.
  ['upstream', 'store', 'media', 'purge'],
  ['rfc', 'errors', 'quantities'],
]

/** The guest house: the demo origin is a program of its own that happens to be started by main. */
const APART = 'demo'

/** What only some rooms may know. */
const KNOWN_ONLY_TO: Readonly<Record<string, readonly string[]>> = {
  fastify: ['http', 'ops', 'server'],
  '@fastify/http-proxy': ['http'],
  undici: ['upstream', 'siblings'],
  'lru-cache': ['store', 'cache', 'media', 'upstream'],
  'm3u8-parser': ['media'],
  saxes: ['media'],
  '@svta/cml-cmcd': ['media'],
  '@nats-io/transport-node': ['siblings'],
  '@nats-io/jetstream': ['siblings'],
  '@prometheus-io/client': ['ops'],
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))

function roomOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : file.replace(/\.ts$/, '')
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
}

function localTarget(file: string, specifier: string): string {
  return relative(SRC, normalize(join(SRC, dirname(file), specifier)))
}

test('every file lies in a room of the plan', () => {
  const known = new Set([...ROWS.flat(), APART])
  assert.deepEqual(
    files.filter((file) => !known.has(roomOf(file))),
    [],
  )
})

test('imports run downwards only, and rooms of one row never import each other', () => {
  const row = new Map(ROWS.flatMap((rooms, index) => rooms.map((room) => [room, index] as const)))
  const wrong: string[] = []
  for (const file of files) {
    const from = roomOf(file)
    for (const specifier of importsOf(file).filter((name) => name.startsWith('.'))) {
      const to = roomOf(localTarget(file, specifier))
      if (to === from) continue
      const allowed =
        to === APART
          ? from === 'main'
          : from === APART
            ? to === 'rfc' || to === 'quantities'
            : (row.get(to) ?? -1) > (row.get(from) ?? Number.POSITIVE_INFINITY)
      if (!allowed) wrong.push(`${file} imports ${specifier}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('no file takes part in a circle of imports', () => {
  const graph = new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => localTarget(file, name)),
    ]),
  )
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `a circle: ${[...path, file].join(' -> ')}`)
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
})

test('properties are tried with the same values in every run', () => {
  const tests = fileURLToPath(new URL('.', import.meta.url))
  const wrong = readdirSync(tests, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) => name.endsWith('.ts') && name !== 'support/properties.ts' && name !== 'architecture.test.ts',
    )
    .filter((name) => readFileSync(join(tests, name), 'utf8').includes("'fast-check'"))
  assert.deepEqual(wrong, [], 'fast-check comes from test/support/properties.ts')
})

test('each library is known to its room alone', () => {
  const wrong: string[] = []
  for (const file of files) {
    for (const specifier of importsOf(file)) {
      const rooms = KNOWN_ONLY_TO[specifier]
      if (rooms !== undefined && !rooms.includes(roomOf(file))) wrong.push(`${file} imports ${specifier}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('only main reads the clock, the environment and signals', () => {
  const wrong: string[] = []
  for (const file of files) {
    if (roomOf(file) === 'main' || roomOf(file) === APART) continue
    const text = readFileSync(join(SRC, file), 'utf8')
    for (const [what, pattern] of [
      ['Date.now', /\bDate\.now\b/],
      ['new Date()', /\bnew Date\(\)/],
      ['process.env', /\bprocess\.env\b/],
      ['process.on', /\bprocess\.(on|once)\(/],
    ] as const) {
      if (pattern.test(text)) wrong.push(`${file} uses ${what}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('every file opens with one sentence that says what it is for', () => {
  const wrong = files.filter((file) => !/^(#!.*\n)?\/\*\*/.test(readFileSync(join(SRC, file), 'utf8')))
  assert.deepEqual(wrong, [])
})

test('a file has one subject: none is longer than 300 lines', () => {
  const wrong = files.filter((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length > 301)
  assert.deepEqual(wrong, [])
})
