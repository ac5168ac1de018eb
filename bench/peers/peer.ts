/** Who is measured: a cache that can be started in front of an origin, listening on loopback alone. */
import type { Child, Ground } from '../lib/ground.ts'

export interface Running {
  readonly name: string
  readonly port: number
  readonly child: Child
}

export interface Peer {
  readonly name: string
  /** Name and version, as the program tells it. */
  version(): string
  /** Settles when it listens. What it needs is written below `ground.path`, and goes with the ground. */
  start(ground: Ground, originPort: number): Promise<Running>
}
