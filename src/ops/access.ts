/** Who may look in: trusted addresses, or whoever knows the token. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIPv4 } from 'node:net'
import type { OpsOptions } from './options.ts'

export class Access {
  readonly #trusted = new BlockList()
  readonly #token: Buffer | undefined

  constructor(options: OpsOptions) {
    for (const block of options.trusted) {
      const [address = '', bits] = block.split('/')
      const family = isIPv4(address) ? 'ipv4' : 'ipv6'
      if (bits === undefined) this.#trusted.addAddress(address, family)
      else this.#trusted.addSubnet(address, Number(bits), family)
    }
    this.#token = options.token === null ? undefined : digest(options.token)
  }

  /** `address` is that of the connection; `authorization` the field's value. */
  allows(address: string | undefined, authorization: string | undefined): boolean {
    return this.#isTrusted(address) || this.#hasToken(authorization)
  }

  #isTrusted(address: string | undefined): boolean {
    if (address === undefined) return false
    // On a socket that listens on :: an IPv4 peer is written as a mapped IPv6 address.
    const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
    return this.#trusted.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6')
  }

  #hasToken(authorization: string | undefined): boolean {
    const token = /^Bearer ([^ ]+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined || this.#token === undefined) return false
    return timingSafeEqual(digest(token), this.#token)
  }
}

/** Of one length whatever the token's, so that comparing takes the same time. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
