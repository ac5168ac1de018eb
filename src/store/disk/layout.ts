/**
 * Where a thing lies in the disk's directory.
 *
 *     lock-0000a1b2c3d3                     who works here
 *     journal                               what is here
 *     purges                                what was purged of it (notebook.ts)
 *     tmp/0000a1b2c3d4.aside                a file on its way; removed at start
 *     5f/5f1d…-8a4c1e07-0000a1b2c3d4.body   a response
 *     5f/5f1d…-8a4c1e07-0000a1b2c3d4.head   its newer head, when a 304 renewed it
 *
 * The three parts of a name: the first 16 bytes of the SHA-256 of the key, the first 4 of that of the variant, and a
 * number that no other file has. So a file is never written over: who reads the old one goes on, and whatever removes
 * it late cannot meet the new one.
 */
import { hash } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { Variant } from '../../rfc/vary.ts'
import type { CacheKey } from '../store.ts'

export interface EntryName {
  /** 16 bytes, one a character. */
  readonly keyHash: string
  readonly variantHash: number
  readonly generation: number
}

export type EntryPart = 'body' | 'head'

export const KEY_HASH_BYTES = 16

const NAME = /^([0-9a-f]{32})-([0-9a-f]{8})-([0-9a-f]{12})\.(body|head)$/
const FAN_OUT = /^[0-9a-f]{2}$/
const LOCK = /^lock-[0-9a-f]{12}$/
const ASIDE = /^[0-9a-f]{12}\.aside$/

export class Layout {
  readonly root: string
  readonly tmp: string
  readonly journal: string
  readonly purges: string
  /** Where it is written anew; `prepare` removes what a kill left there. */
  readonly purgesAside: string

  constructor(root: string) {
    this.root = resolve(root)
    this.tmp = join(this.root, 'tmp')
    this.journal = join(this.root, 'journal')
    this.purges = join(this.root, 'purges')
    this.purgesAside = join(this.tmp, 'purges')
  }

  /** Whether a directory of this name holds responses: 256 of them can come to be. */
  isFanOut(directory: string): boolean {
    return FAN_OUT.test(directory)
  }

  lock(generation: number): string {
    return `${this.root}/lock-${hex(generation, 12)}`
  }

  isLock(file: string): boolean {
    return LOCK.test(file)
  }

  aside(generation: number): string {
    return `${this.tmp}/${hex(generation, 12)}.aside`
  }

  isAside(file: string): boolean {
    return ASIDE.test(file) || file === 'purges'
  }

  path(name: EntryName, part: EntryPart): string {
    const key = Buffer.from(name.keyHash, 'latin1').toString('hex')
    const variant = hex(name.variantHash >>> 0, 8)
    return `${this.root}/${key.slice(0, 2)}/${key}-${variant}-${hex(name.generation, 12)}.${part}`
  }

  /** What a file is; undefined when its name is none of ours. */
  parse(directory: string, file: string): { name: EntryName; part: EntryPart } | undefined {
    const [, key = '', variant = '', generation = '', part] = NAME.exec(file) ?? []
    if (part === undefined || !key.startsWith(directory)) return undefined
    const name = {
      keyHash: Buffer.from(key, 'hex').toString('latin1'),
      variantHash: Number.parseInt(variant, 16) | 0,
      generation: Number.parseInt(generation, 16),
    }
    return { name, part: part === 'body' ? 'body' : 'head' }
  }
}

export function hashKey(key: CacheKey): string {
  return hash('sha256', key, 'buffer').toString('latin1', 0, KEY_HASH_BYTES)
}

/** Two variants may share a hash, so whoever must know compares the variants themselves. */
export function hashVariant(variant: Variant): number {
  return hash('sha256', canonical(variant), 'buffer').readInt32LE(0)
}

function canonical(variant: Variant): string {
  return JSON.stringify(Object.entries(variant).sort(([one], [other]) => (one < other ? -1 : 1)))
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0')
}
