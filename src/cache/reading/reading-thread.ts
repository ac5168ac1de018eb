/** The thread in which long manifests are read: never imported, but started by manifest-reader.ts. */
import { parentPort, workerData } from 'node:worker_threads'
import { AddressBook, type AddressBookContents } from '../../media/addresses/address-book.ts'
import { bytesOf, done, type Task } from './task.ts'
import { wholeBuffer } from './thread.ts'

// What manifest-reader.ts hands in; the two are one program.
const { routes, options } = workerData as AddressBookContents
const book = new AddressBook(routes, options)

parentPort?.on('message', (task: Task) => {
  const answer = done(book, task)
  const buffer = wholeBuffer(bytesOf(answer))
  parentPort?.postMessage(answer, buffer === undefined ? [] : [buffer])
})
