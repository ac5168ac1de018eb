/** Which keys pass, for whom, and for how long. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Passes } from '../../src/cache/passes.ts'
import { requestOf } from './support/route.ts'

const ANYONE = requestOf()

for (const [reason, ms] of [
  ['no-store', 60_000],
  ['private', 60_000],
  ['set-cookie', 60_000],
  ['vary-any', 60_000],
  ['kind', 60_000],
  ['declined', 1_000],
  ['status', 1_000],
  ['partial', 1_000],
  ['no-lifetime', 1_000],
] as const) {
  test(`a key that was not stored for "${reason}" passes for ${ms / 1000} s`, () => {
    const passes = new Passes()
    assert.equal(passes.has('/a', ANYONE, 0), false)
    passes.remember('/a', reason, 0)
    assert.equal(passes.has('/a', ANYONE, ms - 1), true)
    assert.equal(passes.has('/b', ANYONE, 0), false)
    assert.equal(passes.has('/a', ANYONE, ms), false)
  })
}

for (const name of ['authorization', 'cookie'] as const) {
  test(`what was not stored for a viewer's ${name} passes for those who send one too`, () => {
    const passes = new Passes()
    passes.remember('/a', name, 0)
    assert.equal(passes.has('/a', requestOf({ [name]: 'other' }), 59_999), true)
    assert.equal(passes.has('/a', ANYONE, 0), false)
    assert.equal(passes.has('/a', requestOf({ [name]: 'other' }), 60_000), false)
  })
}

test('a key that was stored after all no longer passes', () => {
  const passes = new Passes()
  passes.remember('/a', 'private', 0)
  passes.forget('/a')
  assert.equal(passes.has('/a', ANYONE, 0), false)
})

test('so many keys are remembered and no more', () => {
  const passes = new Passes()
  for (let key = 0; key < 20_000; key++) passes.remember(`/${key}`, 'private', 0)
  assert.equal(passes.has('/0', ANYONE, 0), false)
  assert.equal(passes.has('/19999', ANYONE, 0), true)
})
