/** What a NATS server must be able to do for a cluster. */
import type { NatsConnection } from '@nats-io/transport-node'

/** JetStream as it is used here is there from 2.9 on. */
const OLDEST = [2, 9] as const
/** A purge that was ordered has at most 256 KB of JSON, which may be twice as long as JSON within JSON; servers take 1 MB unless told otherwise. */
const LEAST_PAYLOAD_BYTES = 640_000

/** Undefined: it will do. */
export function problemOf(info: NatsConnection['info']): string | undefined {
  const { version, jetstream, max_payload: maxPayload = 0 } = info ?? {}
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor))
    return `expected a NATS server ${OLDEST.join('.')} or newer, came ${version ?? 'no version'}`
  if (jetstream !== true) return 'expected a NATS server with JetStream, came one without'
  if (maxPayload < LEAST_PAYLOAD_BYTES)
    return `expected a NATS server that takes messages of ${LEAST_PAYLOAD_BYTES} bytes, came one with max_payload ${maxPayload}`
  return undefined
}
