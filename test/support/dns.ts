/** A small DNS server for tests, on UDP of loopback: it answers what it is told, with an error, with bytes that are none, or not at all. */
import { createSocket } from 'node:dgram'
import type { TestContext } from 'node:test'

/** `silence`: nothing comes. `garbage`: what comes is no answer. Else the records; none is an answer too. */
export type DnsAnswer =
  | 'silence'
  | 'garbage'
  | 'servfail'
  | 'nxdomain'
  | { readonly a: readonly string[] }
  | { readonly srv: readonly { readonly name: string; readonly port: number }[] }

export interface TestDns {
  /** `127.0.0.1:port`, as `Resolver.setServers` takes it. */
  readonly address: string
  /** Questions that have come. */
  readonly asked: number
  /** From now on. Called for each question, where it is a function. */
  answer(next: DnsAnswer | (() => DnsAnswer)): void
}

const TYPES = { a: 1, srv: 33 }
const RCODES = { servfail: 2, nxdomain: 3 }
const HEADER_BYTES = 12

export async function openDns(t: Pick<TestContext, 'after'>, first: DnsAnswer): Promise<TestDns> {
  const socket = createSocket('udp4')
  let current: DnsAnswer | (() => DnsAnswer) = first
  let asked = 0
  socket.on('message', (question, { port, address }) => {
    asked++
    const answer = typeof current === 'function' ? current() : current
    if (answer === 'silence') return
    socket.send(answer === 'garbage' ? Buffer.from('no DNS') : answerTo(question, answer), port, address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  t.after(() => new Promise<void>((resolve) => socket.close(resolve)))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    get asked() {
      return asked
    },
    answer: (next) => {
      current = next
    },
  }
}

/** RFC 1035 section 4.1: the header, the question as it came, and the records, whose name is that of the question. */
function answerTo(question: Buffer, answer: Exclude<DnsAnswer, 'silence' | 'garbage'>): Buffer {
  let end = HEADER_BYTES
  while (question.readUInt8(end) !== 0) end += question.readUInt8(end) + 1
  const type = question.readUInt16BE(end + 1)
  const records = typeof answer === 'string' ? [] : recordsOf(answer, type)
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(question.readUInt16BE(0), 0)
  // An answer, recursion desired and available.
  header.writeUInt16BE(0x8180 | (typeof answer === 'string' ? RCODES[answer] : 0), 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([
    header,
    question.subarray(HEADER_BYTES, end + 5),
    ...records.map((data) => recordOf(type, data)),
  ])
}

/** The data of those of the type that was asked for. */
function recordsOf(answer: Exclude<DnsAnswer, string>, type: number): readonly Buffer[] {
  if ('a' in answer)
    return type === TYPES.a ? answer.a.map((ip) => Buffer.from(ip.split('.').map(Number))) : []
  if (type !== TYPES.srv) return []
  return answer.srv.map(({ name, port }) => {
    const head = Buffer.alloc(6)
    head.writeUInt16BE(port, 4)
    const labels = name
      .split('.')
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
    return Buffer.concat([head, ...labels, Buffer.from([0])])
  })
}

/** Class IN, for no second. */
function recordOf(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}
