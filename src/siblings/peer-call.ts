/** One signed question to a sibling, and its signed answer: short news as JSON, never content. */
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest, Agent as SecureAgent } from 'node:https'
import { AUTH_FIELD, type PeerAuth } from './peer-auth.ts'
import { PEER } from './peer-message.ts'
import { parsed } from './wire-values.ts'

/** Of questions and answers. A batch of purges is a megabyte at most. */
export const MAX_NEWS_BYTES = 4 * 1024 ** 2

/** Two, so that a long batch of purges does not hold up the state. */
const CONNECTIONS = 2
/** Shorter than the listener keeps them, so that it is rarely the first to close one that is about to be used. */
const IDLE_MS = 30_000

export interface PeerQuestion {
  /** Of the sibling's internal listener. */
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly target: string
  /** Sent as JSON; undefined: none. */
  readonly body?: unknown
  readonly timeoutMs: number
}

export class PeerCaller {
  readonly #node: string
  readonly #auth: PeerAuth
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, timeout: IDLE_MS })
  readonly #secureAgent = new SecureAgent({ keepAlive: true, maxSockets: CONNECTIONS, timeout: IDLE_MS })

  constructor(node: string, auth: PeerAuth) {
    this.#node = node
    this.#auth = auth
  }

  /** The JSON of the answer. Throws one sentence when none comes in time, or one that no sibling gave to this question. */
  async ask({ url, method, target, body, timeoutMs }: PeerQuestion): Promise<unknown> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const { value, nonce } = this.#auth.sign({ method, target, peer: this.#node, body: text })
    const headers = {
      [PEER]: this.#node,
      [AUTH_FIELD]: value,
      ...(text === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    }
    const { status, auth, answer } = await this.#exchange(
      new URL(target, url),
      { method, headers },
      text,
      timeoutMs,
    )
    if (status !== 200) throw new Error(`${url} answered ${status} ${answer.slice(0, 200)}`)
    if (!this.#auth.isAnswer(auth, nonce, status, answer))
      throw new Error(`${url} answered without the signature of a sibling`)
    const json = parsed(answer)
    if (json === undefined) throw new Error(`${url} answered what is no JSON`)
    return json
  }

  close(): void {
    this.#agent.destroy()
    this.#secureAgent.destroy()
  }

  async #exchange(
    url: URL,
    options: RequestOptions,
    text: string | undefined,
    timeoutMs: number,
  ): Promise<{ readonly status: number; readonly auth: string | undefined; readonly answer: string }> {
    const isSecure = url.protocol === 'https:'
    const agent = isSecure ? this.#secureAgent : this.#agent
    const ask = isSecure ? httpsRequest : httpRequest
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const question = ask(url, { ...options, agent }, resolve).on('error', reject)
    let isLate = false
    // A signal of its own for each would go off long after the answer to most.
    const timer = setTimeout(() => {
      isLate = true
      question.destroy()
    }, timeoutMs)
    try {
      question.end(text)
      const response = await promise
      const answer = await readText(response, MAX_NEWS_BYTES)
      const auth = response.headers[AUTH_FIELD]
      return {
        status: response.statusCode ?? 0,
        auth: typeof auth === 'string' ? auth : undefined,
        answer,
      }
    } catch (error) {
      throw isLate ? new Error(`${url.origin} did not answer within ${timeoutMs} ms`) : error
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Throws when it breaks off, or is longer than that. */
export async function readText(message: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of message) {
    // Without an encoding set, they are buffers.
    const part = chunk as Buffer
    bytes += part.byteLength
    if (bytes > maxBytes) {
      message.destroy()
      throw new Error(`expected at most ${maxBytes} bytes, more came`)
    }
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString('utf8')
}
