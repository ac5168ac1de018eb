/**
 * Where a thing lies in the disk's directory.
 *
 *     lock                                  who works here
 *     journal                               what is here
 *     tmp/0000a1b2c3d4.aside                a file on its way; removed at start
 *     5f/5f1d…-8a4c1e07-0000a1b2c3d4.body   a response
 *     5f/5f1d…-8a4c1e07-0000a1b2c3d4.head   its newer head, when a 304 renewed it
 *
 * The three parts of a name: the first 16 bytes of the SHA-256 of the key, the first 4 of that of the variant, and a
 * number that no other file has. So a file is never written over: who reads the old one goes on, and whatever removes
 * it late cannot meet the new one.
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
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
const ASIDE = /^[0-9a-f]{12}\.aside$/

export class Layout {
  readonly root: string
  readonly tmp: string
  readonly journal: string
  readonly lock: string

  constructor(root: string) {
    this.root = root
    this.tmp = join(root, 'tmp')
    this.journal = join(root, 'journal')
    this.lock = join(root, 'lock')
  }

  /** The directories that hold responses, 256 of them. */
  get fanOut(): readonly string[] {
    return Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'))
  }

  aside(generation: number): string {
    return `${this.tmp}/${hex(generation, 12)}.aside`
  }

  isAside(file: string): boolean {
    return ASIDE.test(file)
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

export function isSameVariant(one: Variant, other: Variant): boolean {
  return canonical(one) === canonical(other)
}

function canonical(variant: Variant): string {
  return JSON.stringify(Object.entries(variant).sort(([one], [other]) => (one < other ? -1 : 1)))
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0')
}
