/** The HMAC between siblings is the one of RFC 2104, whatever the secret and the text. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { Hmac } from '../../src/siblings/hmac.ts'
import fc from '../support/properties.ts'

const TEXT = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 2_000, maxLength: 12_000 }),
)

function expected(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url')
}

test('it is what OpenSSL makes of the same secret and text', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 200 }),
      fc.array(TEXT, { minLength: 1, maxLength: 4 }),
      (secret, texts) => {
        const hmac = new Hmac(secret)
        // One behind the other: nothing of a longer text may be left in a shorter one.
        for (const text of texts) assert.equal(hmac.of(text), expected(secret, text))
      },
    ),
  )
})

test('secrets of a block, and of more than one, are taken as RFC 2104 section 2 says', () => {
  for (const length of [1, 63, 64, 65, 128, 1_000])
    assert.equal(new Hmac('s'.repeat(length)).of('text'), expected('s'.repeat(length), 'text'))
})

test('only the HMAC of the text fits it', () => {
  const hmac = new Hmac('a secret of at least 32 characters')
  const right = hmac.of('text')
  assert.equal(hmac.fits(right, 'text'), true)
  assert.equal(hmac.fits(right, 'texT'), false)
  assert.equal(hmac.fits(`${right}=`, 'text'), false)
  assert.equal(hmac.fits('', 'text'), false)
  for (let index = 0; index < right.length; index++) {
    const other = right[index] === 'A' ? 'B' : 'A'
    assert.equal(hmac.fits(right.slice(0, index) + other + right.slice(index + 1), 'text'), false)
  }
})
