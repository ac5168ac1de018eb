/** Low-latency players in a real Chromium, through Relais and at the origin at the same time: how much later the one is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDemo } from '../../src/demo/demo-origin.ts'
import { openBrowser } from '../support/browser.ts'
import { assertSmoothAtTheEdge, watch } from '../support/player.ts'
import { openTestRelais } from '../support/relais.ts'

const PLAYED_SECONDS = 20
/** Of the player that comes second to a stream. */
const PLAYED_AGAIN_SECONDS = 12
/** On a quiet machine it is a tenth of this; a busy one makes one of the two players stay behind the other. */
const MOST_LATER_SECONDS = 2

/** Players live on the wall clock, so Relais does too. */
const WALL = { now: Date.now, advance: () => assert.fail('the wall clock cannot be moved') }

for (const { name, seconds = PLAYED_SECONDS, ...play } of [
  { name: 'hls.js', stream: 'll-hls-parts' },
  { name: 'hls.js', stream: 'll-hls-ranges' },
  { name: 'dash.js', stream: 'll-dash' },
  { name: 'dash.js', stream: 'll-dash-patch' },
  { name: 'Shaka', player: 'shaka', stream: 'll-hls-parts', seconds: PLAYED_AGAIN_SECONDS },
  { name: 'Shaka', player: 'shaka', stream: 'll-dash', seconds: PLAYED_AGAIN_SECONDS },
]) {
  const { stream } = play
  test(`${name} plays ${stream} through Relais without a stall, no later than at the origin`, async (t) => {
    const asked: string[] = []
    const demo = await startDemo({
      host: '127.0.0.1',
      port: 0,
      now: Date.now,
      onRequest: (target) => void asked.push(target),
    })
    t.after(() => demo.close())
    const direct = await startDemo({ host: '127.0.0.1', port: 0, now: Date.now })
    t.after(() => direct.close())
    const relais = await openTestRelais(t, {
      clock: WALL,
      file: { routes: [{ prefix: '/', origins: [demo.url] }] },
    })
    const browser = await openBrowser(t)
    const [through, straight] = await Promise.all(
      [relais.url, direct.url].map((url) => watch(browser, url, { ...play, seconds })),
    )
    assert.ok(through !== undefined && straight !== undefined)
    const laterSeconds = through.medianBehindSeconds - straight.medianBehindSeconds
    t.diagnostic(
      `${stream}: ${through.medianBehindSeconds.toFixed(2)} s behind through Relais, ${straight.medianBehindSeconds.toFixed(2)} s at the origin`,
    )
    assertSmoothAtTheEdge(through, stream)
    assert.ok(laterSeconds < MOST_LATER_SECONDS, `${laterSeconds} s later`)
    const { requests } = await relais.stats()
    assert.equal(requests.error, 0)
    // Neither a playlist with directives nor a part is asked for twice; what is held now may be asked for by those who leave.
    const held = asked.filter((target) => /_HLS_msn=|\.m4s$/.test(target))
    const twice = held.filter((target, index) => held.indexOf(target) !== index)
    assert.deepEqual(twice, [])
  })
}
