/** Bodies that come drop by drop, and hold a place at the origin all the while. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { MIB } from '../support/film.ts'
import { openOrigin } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { openViewer } from '../support/viewer.ts'

const PARTS = { 'accept-ranges': 'bytes', etag: '"1"', 'cache-control': 'max-age=60' }

for (const [path, status, fields] of [
  ['seg1.ts', 200, { 'content-length': '500000' }],
  ['seg1.ts', 200, {}],
  ['film.mp4', 206, { 'content-range': `bytes 0-${2 * MIB - 1}/${8 * MIB}`, 'content-length': `${2 * MIB}` }],
] as const) {
  test(`a ${status} of ${path} ${JSON.stringify(fields)} that drips is finished for nobody`, async (t) => {
    let dripping: ServerResponse | undefined
    const origin = await openOrigin(t, (_request, response) => {
      dripping = response
      response.writeHead(status, { ...PARTS, ...fields })
      response.write('drop')
    })
    const relais = await openTestRelais(t, { origins: [origin.url] })
    const viewer = openViewer(`${relais.url}/${path}`)
    await viewer.reached(4)
    relais.clock.advance(40_000)
    dripping?.write('drop')
    // As long as somebody reads it, it may be as slow as it is.
    await viewer.reached(8)
    viewer.leave()
    await until(async () => (await relais.stats()).viewers === 0, 'the viewer is gone')
    dripping?.write('drop')
    relais.clock.advance(29_000)
    dripping?.write('drop')
    const { fills } = await relais.stats()
    assert.equal(fills, 1)
    relais.clock.advance(2_000)
    dripping?.write('drop')
    await until(async () => (await relais.stats()).fills === 0, 'it is given up')
    await until(() => dripping?.destroyed === true, 'its connection is closed')
  })
}
