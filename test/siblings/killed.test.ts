/** A kill between the log of purges, which is written at once, and the notes of what is in force, which are written later. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../support/barrier.ts'
import { get } from '../support/client.ts'
import { testClock } from '../support/clock.ts'
import { freePort } from '../support/free-port.ts'
import { openOrigin, reply } from '../support/origin.ts'
import { openTestRelais } from '../support/relais.ts'
import { openSiblings, SECRET } from '../support/relais-siblings.ts'

/** Written by the siblings; all else in the folder is the store's. */
const LOG = 'purges.log'

/** What lies in all files of a folder, one after the other. */
function allOf(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== LOG)
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')
}

test('a purge of a sibling that a kill left in the log alone is in force before the node serves again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-killed-'))
  const [alive, killed] = [join(folder, 'alive'), join(folder, 'killed')]
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  let edition = 1
  const origin = await openOrigin(t, ({ url = '' }, response) =>
    reply(response, `${url} edition ${edition}`, { 'cache-control': 'max-age=3600' }),
  )
  const clock = testClock()
  const options = { origins: [origin.url], clock }
  const { nodes, ownedBy } = await openSiblings(t, 2, {
    ...options,
    more: (index) => (index === 0 ? { disk: { path: alive, maxBytes: '64MB' } } : {}),
  })
  const [one, other] = nodes
  assert.ok(one !== undefined && other !== undefined)
  const purged = ownedBy(one, origin.url, '.ts')
  const kept = ownedBy(one, origin.url, '-kept.ts')
  for (const target of [purged, kept]) await get(one.url + target)
  await until(async () => (await one.stats()).disk.entries === 2, 'both are on disk')

  // What lies there when the purge comes: all of it but the log is written later than that.
  cpSync(alive, killed, { recursive: true })
  const { status } = await get(`${other.url}/-/purge`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: purged }),
  })
  assert.equal(status, 200)
  await until(() => readFileSync(join(alive, LOG), 'utf8').includes(purged), 'it is in the log')
  cpSync(join(alive, LOG), join(killed, LOG))
  assert.ok(!allOf(killed).includes(`"${purged}"`), 'it is in no note')

  // The process that holds it is dead then.
  for (const name of readdirSync(killed)) if (name.startsWith('lock-')) rmSync(join(killed, name))
  edition = 2
  const before = origin.count()
  // Nobody is there who could tell it.
  const nobody = `http://127.0.0.1:${await freePort()}`
  const again = await openTestRelais(t, {
    ...options,
    utilization: () => 0,
    pulse: () => () => undefined,
    file: {
      node: one.id,
      disk: { path: killed, maxBytes: '64MB' },
      cluster: {
        secret: SECRET,
        listen: { host: '127.0.0.1', port: 0 },
        siblings: [{ id: other.id, url: nobody }],
      },
    },
  })
  // At its very first answer.
  assert.equal(String((await get(again.url + purged)).body), `${purged} edition 2`)
  assert.equal(String((await get(again.url + kept)).body), `${kept} edition 1`)
  assert.equal(origin.count() - before, 1)
})
