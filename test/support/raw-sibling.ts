/** A sibling for tests that takes its place as one should, and answers for objects in whatever bytes a test likes. */
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { Clock } from '../../src/rfc/heads.ts'
import { STATE_PATH } from '../../src/siblings/news-desk.ts'
import { PeerAuth } from '../../src/siblings/peer-auth.ts'
import { PeerCaller } from '../../src/siblings/peer-call.ts'
import { writeState } from '../../src/siblings/sibling-state.ts'
import { openRawOrigin } from './raw-origin.ts'

export interface RawSibling {
  readonly url: string
  /** Requests for objects that have come. */
  readonly asked: number
  /** Asks another one how it is. */
  greet(url: string): Promise<unknown>
}

export async function openRawSibling(
  t: Pick<TestContext, 'after'>,
  id: string,
  secret: string,
  now: Clock,
  answer: (socket: Socket, head: string, nth: number) => unknown,
): Promise<RawSibling> {
  const auth = new PeerAuth({ secret, acceptedSecret: null }, now)
  const caller = new PeerCaller(id, auth)
  t.after(() => caller.close())
  let asked = 0
  const server = await openRawOrigin(t, (socket, head) => {
    if (head.includes(' /-/peer/v1/obj/')) return answer(socket, head, ++asked)
    if (!head.startsWith(`GET ${STATE_PATH} `))
      return socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
    const [, nonce = ''] = /^relais-auth: v1 \w+ \d+ ([\w-]+) /im.exec(head) ?? []
    const body = JSON.stringify(
      writeState({
        ...{ id, instance: `${id}-1`, cluster: 'relais', release: '0.0.0', url: server.url },
        ...{
          publicUrl: undefined,
          zone: 'default',
          weight: 1,
          state: 'active',
          isBeginning: false,
          digest: '0123456789abcdef',
        },
        purges: {},
        figures: { inflight: 0, egressBps: 0, capacityBps: 1, elu: 0, missesPerSecond: 0 },
      }),
    )
    const signature = auth.signAnswer(nonce, 200, body)
    const fields = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`
    return socket.write(`HTTP/1.1 200 OK\r\n${fields}relais-auth: ${signature}\r\n\r\n${body}`)
  })
  return {
    url: server.url,
    greet: (url) => caller.ask({ url, method: 'GET', target: STATE_PATH, timeoutMs: 5_000 }),
    get asked() {
      return asked
    },
  }
}
