/** The thread in which long manifests are read: never imported, but started by manifest-reader.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { AddressBook, type AddressBookContents } from '../../media/addresses/address-book.ts'
import { isBad } from '../../media/facts.ts'
import { done, type Task } from './task.ts'

// What manifest-reader.ts hands in; the two are one program.
const { routes, options } = workerData as AddressBookContents
const book = new AddressBook(routes, options)

parentPort?.on('message', (task: Task) => {
  const result = done(book, task)
  const bytes = result === undefined || isBad(result) ? undefined : result.bytes
  const isWhole = bytes?.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength
  parentPort?.postMessage(result, isWhole ? [bytes.buffer] : [])
})
