/** Says in a few words what stands in the place of a manifest. */

const SHOWN = 60

/** For a sentence that ends in "came …". */
export function whatCame(text: string): string {
  const start = text.slice(0, 1024).trimStart()
  if (start === '') return text === '' ? 'nothing' : 'white space'
  if (/^<(?:!doctype html|html|head|body)\b/i.test(start)) return 'HTML'
  if (start.startsWith('{') || start.startsWith('[')) return 'JSON'
  if (start.startsWith('#EXTM3U')) return 'an HLS playlist'
  const firstLine = start.split(/[\r\n]/, 1)[0] ?? ''
  return JSON.stringify(firstLine.length > SHOWN ? `${firstLine.slice(0, SHOWN)}…` : firstLine)
}
