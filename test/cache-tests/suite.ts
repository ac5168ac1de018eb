/** http-cache-tests between two real sockets: its own server as the origin, its own client as the viewer, Relais between them. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'

/** What a test is for: `required` by the standard, what an `optimal` cache does, or a `check` of a choice it has. */
export type Kind = 'required' | 'optimal' | 'check'

export interface SuiteTest {
  readonly id: string
  readonly name: string
  /** Absent: required. */
  readonly kind?: Kind
  readonly browser_only?: boolean
  /** Ids of tests without which this one says nothing. */
  readonly depends_on?: readonly string[]
  /** Has the suite print what went over the wire. */
  dump?: boolean
}

interface TestGroup {
  readonly name: string
  readonly tests: readonly SuiteTest[]
}

/** True: passed. Else the kind of failure (`Setup`: the test could not be made to say anything) and what was seen. */
export type Outcome = true | readonly [kind: string, seen: string]

export interface Suite {
  /** Those for shared caches. */
  readonly tests: readonly SuiteTest[]
  /** The suite's own server on a free port of loopback. */
  openOrigin(): Promise<SuiteOrigin>
  /** Runs all tests, or those with the given ids, `atOnce` at a time. Only once in a process: the suite keeps its results. */
  run(base: string, atOnce: number, ids?: readonly string[]): Promise<Readonly<Record<string, Outcome>>>
}

export interface SuiteOrigin {
  readonly url: string
  close(): Promise<void>
}

type Handler = (segments: string[], request: IncomingMessage, response: ServerResponse) => void
type RunTests = (groups: readonly TestGroup[], ...rest: unknown[]) => Promise<void>

/** `folder`: the package as published, or a checkout of its repository, which has another layout and takes no `fetch`. */
export async function loadSuite(folder: string, layout: 'package' | 'repository'): Promise<Suite> {
  const engine = layout === 'package' ? '' : 'test-engine/'
  const [groups, { runTests, getResults }, config, test, state] = await Promise.all([
    load<{ default: readonly TestGroup[] }>(folder, 'tests/index.mjs'),
    load<{ runTests: RunTests; getResults: () => Readonly<Record<string, Outcome>> }>(
      folder,
      `${engine}client/runner.mjs`,
    ),
    load<{ default: Handler }>(folder, `${engine}server/handle-config.mjs`),
    load<{ default: Handler }>(folder, `${engine}server/handle-test.mjs`),
    load<{ default: Handler }>(folder, `${engine}server/handle-state.mjs`),
  ])
  const handlers: Readonly<Record<string, Handler>> = {
    config: config.default,
    test: test.default,
    state: state.default,
  }
  const forCaches = groups.default.map((group) => ({
    ...group,
    tests: group.tests.filter((one) => one.browser_only !== true),
  }))
  return {
    tests: forCaches.flatMap((group) => group.tests),
    openOrigin: () => openOrigin(handlers),
    async run(base, atOnce, ids) {
      const chosen = forCaches.map((group) => ({
        ...group,
        tests: group.tests.filter((one) => ids === undefined || ids.includes(one.id)),
      }))
      if (layout === 'package') await runTests(chosen, plainFetch, false, base, atOnce)
      else await runTests(chosen, false, base, atOnce)
      return getResults()
    },
  }
}

/** The suite has no types; what is used of it is written above. */
function load<Module>(folder: string, file: string): Promise<Module> {
  return import(new URL(file, pathToFileURL(`${folder}/`)).href) as Promise<Module>
}

/**
 * Fetch without the fields that it adds for a browser's cache, which is not here: those of the mode `no-store`, and the
 * `no-cache` beside a condition, which stays away where these two fields stand already, as in the suite's own requests.
 */
function plainFetch(url: string, init: RequestInit = {}): Promise<Response> {
  const { cache: _, ...rest } = init
  const headers = new Headers(init.headers)
  if (CONDITIONS.some((name) => headers.has(name))) {
    if (!headers.has('pragma')) headers.set('pragma', 'foo')
    if (!headers.has('cache-control')) headers.set('cache-control', 'nothing-to-see-here')
  }
  return fetch(url, { ...rest, headers })
}

const CONDITIONS = ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range']

async function openOrigin(handlers: Readonly<Record<string, Handler>>): Promise<SuiteOrigin> {
  const server = createServer((request, response) => {
    const [, name = '', ...segments] = new URL(request.url ?? '/', 'http://suite').pathname.split('/')
    const handler = handlers[name]
    if (handler === undefined) response.writeHead(404).end()
    else handler(segments, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
