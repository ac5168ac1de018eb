/** A large body as it is stored: the head of the whole, and the one slice of it that came. */
import { randomBytes } from 'node:crypto'
import type { ResponseHead } from '../rfc/heads.ts'
import type { StoredHead } from '../store/store.ts'
import { WholeBody } from '../store/whole-body.ts'
import type { UpstreamResponse } from '../upstream/source.ts'
import type { Kept } from './flow.ts'
import type { FillContext, Order } from './journey.ts'
import { bindingValidator } from './opening.ts'
import { indexOfSlice, isSliceable } from './slice.ts'

/** Stands where the bytes are in slices. */
const NO_BYTES = new WholeBody([])

/** Whether the answer to this order, asked for whole, may be cut into slices: not while it may still grow. */
export function mayBeCut(context: FillContext, { key, request }: Order): boolean {
  return !context.slices.isToBeWhole(key) && context.streams.timingOf(request.target)?.live !== true
}

/** Whether slices of it can be had one by one, and it is worth it. */
export function isToBeCut({ slicing }: FillContext, { status, fields }: ResponseHead, size: number): boolean {
  return (
    status === 200 &&
    size > slicing.above &&
    isSliceable({ size, sliceBytes: slicing.bytes }) &&
    fields['accept-ranges'] === 'bytes' &&
    bindingValidator(fields) !== undefined
  )
}

/**
 * `stored` is the head of the whole, of `size` bytes; `response` brings the bytes from `first` on, the beginning of a slice.
 * What it brings beyond that slice is cancelled; slices are asked for as they are wanted.
 */
export async function keepSliced(
  context: FillContext,
  order: Order,
  stored: StoredHead,
  first: number,
  size: number,
  response: UpstreamResponse,
  land: () => void,
): Promise<Kept> {
  const before = order.stored?.head
  const isSame = before?.sliced?.size === size && isOneBody(before, stored)
  const sliced = {
    size,
    sliceBytes: before?.sliced?.sliceBytes ?? context.slicing.bytes,
    generation: (isSame ? before.sliced?.generation : undefined) ?? randomBytes(9).toString('base64url'),
  }
  // The head is kept wherever it is read: without it each viewer would begin a generation of slices of his own.
  const head: StoredHead =
    stored.copy === undefined ? { ...stored, sliced } : { ...stored, sliced, copy: 'kept' }
  context.slices.adopt(head, sliced, indexOfSlice(sliced, first), order.request.target, response)
  const writer = await context.store.open(head, 0)
  void Promise.resolve(writer?.commit()).finally(land)
  return { stored: { head, body: NO_BYTES }, kept: writer !== undefined }
}

function isOneBody(one: StoredHead, other: StoredHead): boolean {
  return bindingValidator(one.fields) === bindingValidator(other.fields)
}
