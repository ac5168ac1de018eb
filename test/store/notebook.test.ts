/** What is noted stands on disk in its order, and what may come later costs no write of its own. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Notebook } from '../../src/store/disk/notebook.ts'
import { directory } from './support/disks.ts'
import { type Deed, filesWith, systemError } from './support/failing-files.ts'

async function notebook(t: TestContext, isFailing = false) {
  const path = await directory(t)
  const deeds: Deed[] = []
  const files = filesWith((deed) => {
    deeds.push(deed)
    return isFailing && deed === 'writev' ? Promise.reject(systemError('ENOSPC')) : undefined
  })
  const failures: string[] = []
  const places = { path: join(path, 'notes'), aside: join(path, 'aside') }
  const onFailure = (what: string): void => void failures.push(what)
  const notes = await Notebook.open({ ...places, files, onFailure })
  const reopened = async (): Promise<readonly string[]> => {
    const again = await Notebook.open({ ...places, onFailure })
    await again.close()
    return again.lines
  }
  return { notes, reopened, failures, writes: () => deeds.filter((deed) => deed === 'writev').length }
}

test('what may be noted later stands before what is noted next, in one write with it', async (t) => {
  const { notes, reopened, writes } = await notebook(t)
  const later = [notes.later(['1']), notes.later(['2', '3'])]
  assert.equal(await notes.append(['4']), true)
  assert.deepEqual(await Promise.all(later), [true, true])
  assert.equal(writes(), 1)
  await notes.close()
  assert.deepEqual(await reopened(), ['1', '2', '3', '4'])
})

test('what may be noted later is noted without anything else to note, in one write', async (t) => {
  const { notes, reopened, writes } = await notebook(t)
  assert.deepEqual(await Promise.all([notes.later(['1']), notes.later(['2'])]), [true, true])
  assert.equal(writes(), 1)
  assert.deepEqual(await reopened(), ['1', '2'])
  await notes.close()
})

test('what may be noted later is noted when the notes are closed', async (t) => {
  const { notes, reopened } = await notebook(t)
  const later = notes.later(['1'])
  await notes.close()
  assert.equal(await later, true)
  assert.deepEqual(await reopened(), ['1'])
})

test('notes that are written anew are not followed by what was to be noted before', async (t) => {
  const { notes, reopened } = await notebook(t)
  const later = notes.later(['old'])
  assert.equal(await notes.rewrite(['all']), true)
  assert.equal(await later, true)
  await notes.append(['next'])
  await notes.close()
  assert.deepEqual(await reopened(), ['all', 'next'])
})

test('a write that fails fails all that were to be noted with it, and says so once', async (t) => {
  const { notes, reopened, failures } = await notebook(t, true)
  const all = [notes.later(['1']), notes.append(['2']), notes.append(['3'])]
  assert.deepEqual(await Promise.all(all), [false, false, false])
  assert.equal(failures.length, 1)
  await notes.close()
  assert.deepEqual(await reopened(), [])
})
