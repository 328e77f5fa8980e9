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

/** Why there is no connection: what was asked for TLS does not speak it. */
export const NO_TLS = 'its answer is no TLS';
export const NO_TLS_CURE =
  'What answers there speaks no TLS: if it is the right port, its endpoint begins with tcp://.';

/** What helps where the message says more than the number. The first that fits. */
const CURES_BY_MESSAGE: readonly (readonly [RegExp, string])[] = [
  [
    /got invalid response from (?:master|leader) at \S+: HTTP 401\b/,
    'The leader has no active user of this name and password. Give the right ones: make-follower and sync take ' +
      '--leader.username and --leader.password-file. An applier that has stopped for it takes them by make-follower, ' +
      'too, or by ticklog applier config --set, and then ticklog applier start.',
  ],
  [new RegExp(`${NO_TLS}$`), NO_TLS_CURE],
  [
    /needs the right '|only administrators/,
    'An administrator of that server gives the right: ticklog user grant (PUT /_api/user/<user>/database/<database>).',
  ],
  [
    /--replication\.allow-endpoints does not have it/,
    'Name another leader, or start this server with --replication.allow-endpoints that has it.',
  ],
];

/** What helps against an error, by its message; undefined where that says no more than the number of the error. */
export function cureInMessage(message: string): string | undefined {
  return CURES_BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1];
}
