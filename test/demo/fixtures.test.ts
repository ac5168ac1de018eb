import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressesOf, readBars } from './bars.ts'

const { files, title } = await readBars()

function fixture(path: string): Buffer {
  const file = files.get(path)
  assert.ok(file, path)
  return Buffer.from(file.bytes)
}

test('the fixtures are at most 5 MB', () => {
  const bytes = [...files.values()].reduce((sum, { bytes }) => sum + bytes.byteLength, 0)
  assert.ok(bytes <= 5_000_000, `${bytes} bytes`)
})

test('every address in every playlist leads to a fixture', () => {
  const playlists = [...files.keys()].filter((path) => path.endsWith('.m3u8'))
  assert.ok(playlists.length >= 15)
  for (const path of playlists) {
    const text = fixture(path).toString()
    const quoted = [...text.matchAll(/URI="([^"]+)"/g)].map((match) => match[1] ?? '')
    const addresses = [...addressesOf(text), ...quoted]
    assert.ok(addresses.length > 0, path)
    for (const address of addresses) fixture(new URL(address, `http://demo${path}`).pathname)
  }
})

test('one loop is as long in picture as in sound, so the title loops without a gap', () => {
  for (const { name, durations, timescale } of [...title.video, title.audio]) {
    const ticks = durations.reduce((sum, duration) => sum + duration, 0)
    assert.equal(ticks, title.segments * title.segmentSeconds * timescale, name)
  }
})

test('the byte ranges of a single file are its fragments, one after the other to its end', () => {
  for (const { name } of [...title.video, title.audio]) {
    const file = fixture(`/vod/bars/single/${name}.mp4`)
    const text = fixture(`/vod/bars/single/${name}.m3u8`).toString()
    let next: number | undefined
    for (const [, size, offset] of text.matchAll(/#EXT-X-BYTERANGE:(\d+)@(\d+)/g)) {
      assert.equal(file.toString('latin1', Number(offset) + 4, Number(offset) + 8), 'moof')
      assert.equal(Number(offset), next ?? Number(offset))
      next = Number(offset) + Number(size)
    }
    assert.equal(next, file.length)
  }
})

test('the index that DASH points to in a single file is a sidx, right after its initialisation', () => {
  const mpd = fixture('/vod/bars/single/manifest.mpd').toString()
  const found = [...mpd.matchAll(/<BaseURL>(\w+\.mp4).*?indexRange="(\d+)-(\d+)".*?range="0-(\d+)"/gs)].map(
    ([, name = '', first, last, initLast]) => ({ name, at: Number(first), end: Number(last) + 1, initLast }),
  )
  assert.equal(found.length, 4)
  for (const { name, at, end, initLast } of found) {
    const file = fixture(`/vod/bars/single/${name}`)
    assert.equal(Number(initLast), at - 1)
    assert.equal(file.toString('latin1', at + 4, at + 8), 'sidx')
    assert.equal(file.readUInt32BE(at), end - at)
    assert.equal(file.toString('latin1', end + 4, end + 8), 'moof')
  }
})
