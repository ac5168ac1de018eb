/** Facts from an HLS multivariant playlist. */
import { attributesOf, numberOf } from './attributes.ts'
import type { HlsMultivariantFacts } from './facts.ts'
import { type HlsRendition, MAX_RENDITIONS } from './hls-facts.ts'
import { LONGEST_ADDRESS } from './place.ts'

const KINDS: ReadonlyMap<string | undefined, HlsRendition['kind']> = new Map([
  ['AUDIO', 'audio'],
  ['VIDEO', 'video'],
  ['SUBTITLES', 'subtitles'],
])

/**
 * From the tags that only multivariant playlists have, and the addresses between them. Never throws. Read by hand: the
 * parser keeps groups in plain objects by the names that the playlist gives them, `__proto__` among these.
 */
export function readMultivariant(lines: readonly string[]): HlsMultivariantFacts {
  const renditions: HlsRendition[] = []
  let variants = 0
  let steering: string | undefined
  let variant: ReadonlyMap<string, string> | undefined
  const add = (
    kind: HlsRendition['kind'],
    address: string | undefined,
    attributes: ReadonlyMap<string, string>,
  ): void => {
    if (address === undefined || address === '' || renditions.length >= MAX_RENDITIONS) return
    renditions.push(renditionOf(kind, address, attributes))
  }
  for (const line of lines) {
    if (line.length > LONGEST_ADDRESS) continue
    const colon = line.indexOf(':')
    const list = line.slice(colon + 1)
    switch (line.startsWith('#') ? line.slice(0, colon) : undefined) {
      case undefined:
        // The first address after the tag is the variant's (RFC 8216 section 4.3.4.2).
        if (variant !== undefined) add('variant', line, variant)
        variant = undefined
        break
      case '#EXT-X-STREAM-INF':
        variants++
        variant = attributesOf(list)
        break
      case '#EXT-X-I-FRAME-STREAM-INF': {
        variants++
        const attributes = attributesOf(list)
        add('i-frame', attributes.get('URI'), attributes)
        break
      }
      case '#EXT-X-MEDIA': {
        const attributes = attributesOf(list)
        const kind = KINDS.get(attributes.get('TYPE'))
        if (kind !== undefined) add(kind, attributes.get('URI'), attributes)
        break
      }
      case '#EXT-X-CONTENT-STEERING':
        steering ??= attributesOf(list).get('SERVER-URI')
        break
      default:
    }
  }
  // A copy: what was cut from a text keeps the whole of it in memory.
  return { protocol: 'hls', role: 'multivariant', variants, ...structuredClone({ renditions, steering }) }
}

function renditionOf(
  kind: HlsRendition['kind'],
  address: string,
  attributes: ReadonlyMap<string, string>,
): HlsRendition {
  const named = (name: string): string[] => {
    const group = attributes.get(name)
    return group === undefined ? [] : [group]
  }
  return {
    kind,
    address,
    bandwidth: numberOf(attributes.get('BANDWIDTH')),
    codecs: attributes.get('CODECS'),
    height: numberOf(attributes.get('RESOLUTION')?.split('x')[1]),
    name: attributes.get('NAME'),
    group: attributes.get('GROUP-ID'),
    groups: kind === 'variant' ? ['AUDIO', 'VIDEO', 'SUBTITLES'].flatMap(named) : [],
  }
}
