/**
 * A process that stores, renews and deletes responses until it is killed, and tells before and after each deed.
 *
 * What it stores can be told from the head alone: the bytes are derived from key, version and size.
 */
import { DiskStore } from '../../../src/store/disk/disk-store.ts'
import type { StoredHead } from '../../../src/store/store.ts'
import { CONTRACT_BOUNDS } from '../../contract/store.ts'
import { bytesOf, headOf } from './responses.ts'

export interface Told {
  readonly deed: 'store' | 'renew' | 'delete'
  readonly key: string
  readonly version: number
  readonly isDone: boolean
}

export const LINES = 4
const KEYS_A_LINE = 6

export function churnedHead(key: string, version: number, size: number): StoredHead {
  return headOf(key, { fields: { version: `${version}`, size: `${size}` } })
}

export function churnedBytes(head: StoredHead): Buffer {
  return bytesOf(`${head.key}#${head.fields['version']}`, Number(head.fields['size']))
}

async function churn(path: string, firstVersion: number): Promise<void> {
  const store = await DiskStore.open({ ...CONTRACT_BOUNDS, path, log: () => undefined })
  let version = firstVersion
  const line = async (number: number): Promise<void> => {
    for (;;) {
      version++
      const mine = version
      const key = `${number}-${mine % KEYS_A_LINE}`
      // A few large ones among many small ones, so that a kill comes in the middle of both.
      const size = mine % 5 === 0 ? (mine * 104_729) % 2_000_000 : (mine * 7_919) % 60_000
      const head = churnedHead(key, mine, size)
      await told('store', key, mine, async () => {
        const bytes = churnedBytes(head)
        const writer = await store.open(head, undefined)
        for (let at = 0; at < size; at += 50_000) await writer?.write(bytes.subarray(at, at + 50_000))
        return (await writer?.commit()) !== undefined
      })
      if (mine % 3 === 0) await told('renew', key, mine, () => store.refresh({ ...head, status: 203 }))
      if (mine % 7 === 0) await told('delete', key, mine, () => store.delete(key))
    }
  }
  await Promise.all(Array.from({ length: LINES }, (_, number) => line(number)))
}

async function told(
  deed: Told['deed'],
  key: string,
  version: number,
  run: () => Promise<boolean>,
): Promise<void> {
  process.send?.({ deed, key, version, isDone: false } satisfies Told)
  if (await run()) process.send?.({ deed, key, version, isDone: true } satisfies Told)
}

if (process.send !== undefined && import.meta.main) {
  const [path = '', firstVersion] = process.argv.slice(2)
  await churn(path, Number(firstVersion))
}
