/** How the answer from a body in slices begins: not before its first bytes are here. */
import type { RequestHead } from '../rfc/heads.ts'
import type { Answer, StoredAnswer } from './answer.ts'
import type { FillContext } from './journey.ts'
import { pass } from './pass.ts'
import type { Route } from './routes.ts'
import type { Slices } from './slices.ts'

/** Of a sliced body the first bytes wanted are had before the head leaves. Undefined: look again. */
export async function begun(
  slices: Slices,
  context: FillContext,
  route: Route,
  request: RequestHead,
  answer: StoredAnswer,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  if (answer.stored.head.sliced === undefined) return answer
  const readiness = await slices.prepare(route, request, answer.stored, signal)
  switch (readiness.kind) {
    case 'here':
      return answer
    case 'asked': {
      if (!answer.status.hit) return answer
      const { isCollapsed, fwdStatus, kept } = readiness
      const { ttl } = answer.status
      const collapsed = isCollapsed ? true : undefined
      const status = { hit: false, fwd: 'partial', fwdStatus, ttl, stored: kept, collapsed } as const
      return { ...answer, outcome: isCollapsed ? 'collapsed' : 'miss', status }
    }
    case 'forgotten':
      return undefined
    case 'refused':
      return pass(context, route, request, signal, 'partial')
  }
}
