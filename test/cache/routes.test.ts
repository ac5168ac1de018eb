/** Which route a request takes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RouteTable } from '../../src/cache/routes.ts'
import { routeOf } from './support/route.ts'

test('the longest prefix takes it, however the routes are written down', () => {
  const [root, live, sports] = ['/', '/live/', '/live/sports/'].map((prefix) => routeOf({ prefix }))
  assert.ok(root && live && sports)
  for (const table of [new RouteTable([root, live, sports]), new RouteTable([sports, root, live])]) {
    assert.equal(table.match('/live/sports/a.ts'), sports)
    assert.equal(table.match('/live/a.ts'), live)
    assert.equal(table.match('/live/sportsman/a.ts'), live)
    assert.equal(table.match('/live?a=1'), root)
    assert.equal(table.match('/'), root)
  }
})

test('where no prefix fits there is no route', () => {
  const table = new RouteTable([routeOf({ prefix: '/live/' })])
  assert.equal(table.match('/vod/live/a.ts'), undefined)
  assert.equal(table.match('*'), undefined)
})
