/** A text that should be an endpoint, to be shown: what may be a name and a password in it is left out. */
export function withoutPassword(text: string): string {
  return text.replace(/^([^@]*:\/\/)?[^]*@/, '$1...@');
}
