/** Stands in a message between what is wrong and the entry of the log that it is about (contract 6.7). */
export const ENTRY_MARK = ', offending marker: ';

/** Begins the message of a copy that somebody asked for and that was not finished, among the errors of an applier. */
export const SYNC_FAILED = 'the sync failed: ';

/** What errors have called a leader since the first servers, and programs may look for. */
const OLD_WORD = /\bmaster (?=at |version |error|incompatible|change)/g;

/** A message as people read it; on the wire it stays as it is. */
export function inWordsOfToday(message: string): string {
  return message.replaceAll(OLD_WORD, 'leader ');
}

/** A message as people read it, and the start of the entry that it is about. */
export function splitMessage(message: string): { text: string; entry: string | undefined } {
  const at = message.indexOf(ENTRY_MARK);
  if (at < 0) return { text: inWordsOfToday(message), entry: undefined };
  const text = inWordsOfToday(message.slice(0, at));
  return { text, entry: message.slice(at + ENTRY_MARK.length) };
}
