/**
 * Header names of the interface, in lower case, which is how they are sent; and the content types.
 * Names are compared without regard to case (contract 1.1).
 */
export const Header = {
  /** `true` when the log or collection holds more than the page (contract 2.6, 3.4). */
  checkMore: 'x-arango-replication-checkmore',
  /** Tick of the last line of the page, `0` for an empty one. */
  lastIncluded: 'x-arango-replication-lastincluded',
  /** Last tick looked at, also when its line was filtered out. */
  lastScanned: 'x-arango-replication-lastscanned',
  /** Newest tick of the log. */
  lastTick: 'x-arango-replication-lasttick',
  /** `true` while the logger runs. */
  active: 'x-arango-replication-active',
  /** `true` when the log reaches back to `from` without a gap. */
  fromPresent: 'x-arango-replication-frompresent',
  /** API version a client speaks, such as `10403`. */
  version: 'x-arango-version',
  /** `store` asks for a 202 and a later answer. */
  async: 'x-arango-async',
  /** Id of the job such a 202 stands for. */
  asyncId: 'x-arango-async-id',
  /** Id that a client gives a request; it is answered back, and in the log. */
  requestId: 'x-request-id',
  /** Error numbers of an answer to an array, each with how often it is there: `1210:2,1221:1`. */
  errorCodes: 'x-arango-error-codes',
  /** Stream transaction a request belongs to. */
  transactionId: 'x-arango-trx-id',
  /** Whatever its value: a 401 shall not name a way to log in, of which browsers would make a dialog. */
  omitChallenge: 'x-omit-www-authenticate',
  /** Tick of the last event a reader of server-sent events has. */
  lastEventId: 'last-event-id',

  /** Which run of which server wrote the page: tells a leader restored from a backup. */
  incarnation: 'x-ticklog-incarnation',
  /** CRC32 of the body in decimal; lines of a page that passes it are cut, not parsed. */
  crc32: 'x-ticklog-crc32',
  /** CRC32 in decimal over what was asked and what the other headers of a page say (`pageSeal`). */
  seal: 'x-ticklog-seal',
  /** Tick from which on the removals of a collection's journal are complete. */
  deletionsSince: 'x-ticklog-deletions-since',
  /** When the newest entry was committed, in ms since 1970, on the leader's clock. */
  committedAt: 'x-ticklog-committed-at',
} as const;

/** Content types (contract 1.1). */
export const ContentType = {
  json: 'application/json; charset=utf-8',
  /** Pages of lines, and also the 204 in their place. */
  dump: 'application/x-arango-dump; charset=utf-8',
  /** The log as server-sent events. */
  events: 'text/event-stream; charset=utf-8',
  /** The log as lines of JSON without end. */
  lines: 'application/x-ndjson; charset=utf-8',
  /** Of answers whose body is empty. */
  text: 'text/plain; charset=utf-8',
} as const;
