/** Whoever runs the node, in tests: sends orders, and reads the answers. */
import assert from 'node:assert/strict'
import { get } from './client.ts'

export interface Answered {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** An order as JSON. */
export async function order(
  url: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answered> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await get(url + path, {
    method: 'POST',
    body: text,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      ...headers,
    },
  })
  return { status: answer.status, body: answer.body.length === 0 ? {} : JSON.parse(answer.body.toString()) }
}

/** A purge that must be taken. */
export async function purge(url: string, body: unknown): Promise<Record<string, unknown>> {
  const answer = await order(url, '/-/purge', body)
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  assert.equal(answer.body['applied'], true)
  return answer.body
}
