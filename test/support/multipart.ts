/** Reads an answer in multipart/byteranges as strictly as RFC 2046 writes it. */
import assert from 'node:assert/strict'

export interface Part {
  /** In lower case. */
  readonly fields: Readonly<Record<string, string>>
  readonly first: number
  readonly last: number
  /** What stands behind the slash: a number, or `*`. */
  readonly size: string
  readonly bytes: Buffer
}

/** Throws when a byte is not where the grammar wants it, when the boundary is in a part, or a length is not its range's. */
export function partsOf(contentType: string | undefined, body: Buffer): readonly Part[] {
  const boundary = /^multipart\/byteranges; ?boundary=([\w'()+,./:=?-]{1,70})$/.exec(contentType ?? '')?.[1]
  assert.ok(boundary !== undefined, `no boundary in ${contentType}`)
  const parts: Part[] = []
  let at = 0
  const take = (text: string): void => {
    assert.equal(body.toString('latin1', at, at + text.length), text, `at byte ${at}`)
    at += text.length
  }
  take(`--${boundary}`)
  while (!body.subarray(at).equals(Buffer.from('--\r\n'))) {
    take('\r\n')
    const end = body.indexOf('\r\n\r\n', at)
    assert.ok(end >= at, `the head of part ${parts.length} does not end`)
    const fields = Object.fromEntries(
      body
        .toString('latin1', at, end)
        .split('\r\n')
        .map((line) => {
          const colon = line.indexOf(': ')
          return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)] as const
        }),
    )
    const [, first, last, size = ''] =
      /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(fields['content-range'] ?? '') ?? []
    const length = Number(last) - Number(first) + 1
    assert.ok(length > 0, `part ${parts.length} has the range ${fields['content-range']}`)
    at = end + 4
    const bytes = body.subarray(at, at + length)
    assert.ok(!bytes.includes(`--${boundary}`), 'the boundary stands within a part')
    parts.push({ fields, first: Number(first), last: Number(last), size, bytes })
    at += length
    take(`\r\n--${boundary}`)
  }
  return parts
}
