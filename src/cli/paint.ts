import type { CliIo } from './io.ts';

/** Ways in which a text can stand out on a terminal. */
const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

export type Look = keyof typeof CODES;

/** Makes texts stand out; elsewhere than on a terminal, and with NO_COLOR, it leaves them as they are. */
export type Paint = (look: Look, text: string) => string;

export function paintFor({ isTty, useColor }: CliIo): Paint {
  if (!isTty || !useColor) return (_look, text) => text;
  return (look, text) => (text === '' ? text : `\x1b[${CODES[look]}m${text}\x1b[0m`);
}
