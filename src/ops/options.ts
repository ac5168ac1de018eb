/** What the office can be told: who may look in, and what goes to the log. */
import { type Static, Type } from 'typebox'

export const logOptions = Type.Object(
  {
    level: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      description: 'The least important line that is still written.',
      default: 'info',
    }),
    access: Type.Boolean({ description: 'Whether each request is a line (at level info).', default: true }),
  },
  { description: 'The log: JSON lines on standard output.', default: {}, additionalProperties: false },
)

export const opsOptions = Type.Object(
  {
    trusted: Type.Array(Type.String({ format: 'ip-block' }), {
      description:
        'Addresses and CIDR blocks that see /stats, /metrics and /-/. To all others these do not exist. Viewers often have private addresses, so name machines rather than whole private networks.',
      default: ['127.0.0.0/8', '::1/128'],
      examples: [['127.0.0.0/8', '::1/128', '10.20.0.5']],
    }),
    token: Type.Union([Type.String({ minLength: 16 }), Type.Null()], {
      description:
        'A bearer token that is as good as a trusted address. At least 16 characters; better set as RELAIS_OPS_TOKEN than in a file.',
      default: null,
      'x-secret': true,
    }),
  },
  { description: 'Who may see and steer the node.', default: {}, additionalProperties: false },
)

/** The log. */
export interface LogOptions extends Readonly<Static<typeof logOptions>> {}

/** Who may see and steer the node. */
export interface OpsOptions extends Readonly<Static<typeof opsOptions>> {}
