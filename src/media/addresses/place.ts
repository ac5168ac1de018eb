/** Where references are read: what they mean at the origin, and what they would mean to a viewer who has them from us. */
import type { AddressBook } from './address-book.ts'
import {
  type Address,
  directoryOf,
  hasDotSegments,
  href,
  parseAddress,
  parseReference,
  type Reference,
  resolve,
  withoutDotSegments,
} from './reference.ts'

/** A file in a directory, with its query: no slash before that, no dot segment, nothing that players read differently. */
const FILE = /^(?!(?:\.|%2e){1,2}(?:[?#]|$))[^\s\\/?#\p{Cc}]+(?:[?#]|$)/iu
/** A scheme, or a variable in its place. */
const SCHEME = /^(?:[a-z][a-z0-9+.-]*:|\{\$)/i
const LONGEST_DIRECTORY = 1024
const MOST_DIRECTORIES = 64

/** What references to a directory become. */
interface Directory {
  /** Undefined: they stay. */
  readonly localised: string | undefined
  /** Where viewers come to when it is ours, without dot segments. */
  readonly path: string
}

export class Place {
  readonly #book: AddressBook
  /** Undefined: not known, so that relative references are left alone. */
  readonly #theirs: Address | undefined
  /** Our path for the same; undefined when viewers read this at a foreign host. */
  readonly #ours: string | undefined
  /** Path-relative references lead viewers to us or to the foreign host by themselves. */
  readonly #isAligned: boolean
  /**
   * What directories become: manifests name thousands of files and few directories. Only a memory of answers, so that
   * it makes no difference when it is emptied.
   */
  readonly #directories = new Map<string, Directory>()

  private constructor(
    book: AddressBook,
    theirs: Address | undefined,
    ours: string | undefined,
    isAligned: boolean,
  ) {
    this.#book = book
    this.#theirs = theirs
    this.#ours = ours
    this.#isAligned = isAligned
  }

  /**
   * Where a manifest stands. `fetched`: the absolute URL it really came from, after redirects. `asked`: the target
   * under which viewers ask us for it. Throws a TypeError when these are something else.
   */
  static of(book: AddressBook, fetched: string, asked: string): Place {
    const theirs = parseAddress(fetched)
    if (theirs === undefined) throw new TypeError(`expected an absolute http or https URL, came ${fetched}`)
    if (!asked.startsWith('/')) throw new TypeError(`expected a path of ours, came ${asked}`)
    const ours = asked.split(/[?#]/, 1)[0] ?? asked
    // What comes from our own address is in our words already.
    const isAligned =
      URL.parse(fetched)?.origin === book.publicUrl ||
      book.isAt({ ...theirs, path: normalDirectory(theirs.path) }, normalDirectory(ours))
    return new Place(book, theirs, ours, isAligned)
  }

  get book(): AddressBook {
    return this.#book
  }

  /** False after a redirect to elsewhere: path-relative references have to be based anew. */
  get isAligned(): boolean {
    return this.#isAligned
  }

  /**
   * What a viewer must read in place of a reference; undefined when it stays as it is, byte for byte. Query, fragment,
   * templates and variables are never changed. Absolute where `form` says so and publicUrl is known. Takes time in
   * proportion to the reference.
   */
  localise(written: string, form: 'relative' | 'absolute' = 'relative'): string | undefined {
    if (form === 'absolute') return this.#localise(written, form)
    const tailAt = written.search(/[?#]/)
    const fileAt = written.lastIndexOf('/', tailAt === -1 ? written.length : tailAt) + 1
    const directory = written.slice(0, fileAt)
    const file = written.slice(fileAt)
    const isWithout = fileAt === 0
    if (!FILE.test(file) || directory.endsWith('//') || fileAt > LONGEST_DIRECTORY)
      return this.#localise(written)
    if (isWithout && SCHEME.test(written)) return undefined
    if (isWithout && this.#isAligned && this.#ours !== undefined) return undefined
    const { localised, path } = this.#directory(directory)
    const isReserved = this.#book.reserves(path + (tailAt === -1 ? file : written.slice(fileAt, tailAt)))
    if (isReserved) return this.#localise(written)
    return localised === undefined ? undefined : localised + file
  }

  #directory(directory: string): Directory {
    const known = this.#directories.get(directory)
    if (known !== undefined) return known
    // A directory without a name is that of a file in it.
    const localised = directory === '' ? this.#localise('-')?.slice(0, -1) : this.#localise(directory)
    const base = directory.startsWith('/') ? '' : directoryOf(this.#ours ?? '/')
    const found = { localised, path: withoutDotSegments(localised ?? base + directory) }
    if (this.#directories.size >= MOST_DIRECTORIES) this.#directories.clear()
    this.#directories.set(directory, found)
    return found
  }

  #localise(written: string, form: 'relative' | 'absolute' = 'relative'): string | undefined {
    const reference = parseReference(written)
    if (reference === undefined) return undefined
    const target = this.#target(reference)
    if (target === undefined || this.#staysInPlace(reference, target)) return undefined
    const path = this.#pathOf(reference, target)
    if (path === undefined) return this.#mustBecomeAbsolute(reference) ? href(target) : undefined
    const { publicUrl } = this.#book
    const localised = (form === 'absolute' && publicUrl !== undefined ? publicUrl : '') + path + target.tail
    return localised === written ? undefined : localised
  }

  /** Where references are read that are relative to this one, which itself is read here and localised. */
  below(written: string): Place {
    if (written === '' || written.startsWith('#')) return this
    const reference = parseReference(written)
    const target = reference === undefined ? undefined : this.#target(reference)
    if (reference === undefined || target === undefined) return this.unknown()
    const theirs = { ...target, path: withoutDotSegments(target.path), tail: '' }
    if (this.#staysInPlace(reference, target))
      return new Place(this.#book, theirs, this.#follow(reference), true)
    const path = this.#pathOf(reference, target)
    if (path !== undefined) return new Place(this.#book, theirs, withoutDotSegments(path), true)
    const leads = isWhole(reference) || this.#mustBecomeAbsolute(reference) || this.#ours === undefined
    return leads ? new Place(this.#book, theirs, undefined, true) : this.unknown()
  }

  /** The same for documents whose relative references belong to another document, as those of patches do. */
  withoutRebasing(): Place {
    return new Place(this.#book, this.#theirs, this.#ours, true)
  }

  /** Where nobody knows what relative references mean. */
  unknown(): Place {
    return new Place(this.#book, undefined, undefined, true)
  }

  #target(reference: Reference): Address | undefined {
    if (reference.form === 'absolute') return { ...reference }
    return this.#theirs === undefined ? undefined : resolve(reference, this.#theirs)
  }

  /** The path at our side that a viewer would come to. */
  #follow({ path }: Reference): string | undefined {
    return this.#ours === undefined ? undefined : withoutDotSegments(directoryOf(this.#ours) + path)
  }

  /** Undefined: nobody here answers for it. */
  #pathOf({ form }: Reference, target: Address): string | undefined {
    const path = this.#book.pathOf(target, this.#ours)
    if (path !== undefined || form !== 'scheme-relative') return path
    // It has the scheme that the viewer came with, which need not be the one we came to the origin with.
    return this.#book.pathOf({ ...target, scheme: target.scheme === 'http' ? 'https' : 'http' }, this.#ours)
  }

  #staysInPlace(reference: Reference, target: Address): boolean {
    if (!this.#isAligned) return false
    if (reference.form === 'query-only') return true
    if (reference.form !== 'path-relative') return false
    // Below a foreign base a reference may still come to a part of that host which is ours.
    if (this.#ours === undefined) return !this.#book.knows(target)
    if (!hasDotSegments(reference.path)) return true
    return this.#book.isAt(target, this.#follow(reference) ?? '')
  }

  /** It is for nobody here, and a viewer would look for it in the wrong place. */
  #mustBecomeAbsolute(reference: Reference): boolean {
    return !this.#isAligned && !isWhole(reference)
  }
}

function isWhole({ form }: Reference): boolean {
  return form === 'absolute' || form === 'scheme-relative'
}

/** For comparison alone: `fetched` may have gone through URL and `asked` may not. */
function normalDirectory(path: string): string {
  return directoryOf(URL.parse(`http://host${path}`)?.pathname ?? path)
}
