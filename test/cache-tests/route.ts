/** Where the suite lies, and the route it runs on: the RFC's own setting, which any operator can choose. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestOptions } from '../support/relais.ts'

export const PACKAGE = dirname(fileURLToPath(import.meta.resolve('http-cache-tests/package.json')))

export function asStandard(origin: string): TestOptions {
  return {
    file: { routes: [{ prefix: '/', origins: [origin], requestDirectives: 'honour', cookies: 'share' }] },
  }
}
