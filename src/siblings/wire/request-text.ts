/** A request as it is written to a sibling. */
import { isToken } from '../../rfc/grammar.ts'
import type { RequestHead } from '../../rfc/heads.ts'

/** This connection is ours to speak of. */
const OURS: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'keep-alive', 'content-length', 'transfer-encoding', 'upgrade', 'expect', 'te'],
])

/** A value that would end its line, or that latin1 cannot spell. */
const UNWRITABLE = /[^\t\x20-\x7e\x80-\xff]/
const UNWRITABLE_TARGET = /[^\x21-\x7e\x80-\xff]/

/** As latin1. Throws a TypeError for what would be read as something else there. */
export function requestText({ method, target, fields }: RequestHead, host: string): string {
  if (UNWRITABLE_TARGET.test(target)) throw unwritable('target', target)
  let text = `${method === 'HEAD' ? 'HEAD' : 'GET'} ${target} HTTP/1.1\r\nhost: ${host}\r\n`
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined || OURS.has(name)) continue
    if (!isToken(name)) throw unwritable('name of a field', name)
    if (typeof value === 'string') text += line(name, value)
    else for (const one of value) text += line(name, one)
  }
  return `${text}\r\n`
}

function line(name: string, value: string): string {
  if (UNWRITABLE.test(value)) throw unwritable(`value of ${name}`, value)
  return `${name}: ${value}\r\n`
}

function unwritable(what: string, value: string): TypeError {
  return new TypeError(`expected a ${what} that can be written, came ${JSON.stringify(value)}`)
}
