import {
  booleanType,
  choiceType,
  compatibleVersionType,
  countType,
  hostPatternsType,
  listenEndpointType,
  optionalPathType,
  secondsType,
  sizeType,
  textType,
  type ValueType,
} from './value-type.ts';

/** One thing that can be configured: as `--flag`, as TICKLOG_<KEY>, or by its key in a file. */
export interface Option<T> {
  /** Name in configuration files; in the environment in capitals, `_` for `.` and `-`, after TICKLOG_. */
  readonly key: string;
  /** Name on the command line, without the dashes. */
  readonly flag: string;
  /** What the flag's argument is called in the usage text; a flag without one is a bare switch. */
  readonly argument?: string;
  readonly type: ValueType<T>;
  /** Used when the option is given nowhere; text as a user would write it, '' for none. */
  readonly fallback: string;
  /** One sentence for the usage text. */
  readonly help: string;
  /** `flag`: meant for one start only, so neither file nor environment may hold it. */
  readonly sources: 'all' | 'not-file' | 'flag';
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** How much is written to the log of the process, from most to least. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** Sizes below this would let no ordinary document pass. */
const LIMIT_MIN_BYTES = 4 * KIB;

/** Every option of the server, in the order of its usage text. */
export const OPTIONS = {
  configuration: option({
    key: 'configuration',
    argument: 'FILE',
    type: textType('the path of a file'),
    fallback: '',
    help: 'Read options from FILE: lines of key = value, with optional [section] headers.',
    sources: 'not-file',
  }),
  databaseDirectory: option({
    key: 'database.directory',
    argument: 'DIR',
    type: textType('the path of a directory'),
    fallback: './ticklog-data',
    help: 'Where the data lies; made when missing.',
  }),
  endpoint: option({
    key: 'server.endpoint',
    argument: 'ENDPOINT',
    type: listenEndpointType,
    fallback: 'tcp://127.0.0.1:8529',
    help:
      'Where to listen: tcp://, or ssl:// for TLS; port 0 takes any free one. Beyond the loopback interface ' +
      'only with authentication.',
  }),
  authentication: option({
    key: 'server.authentication',
    argument: 'BOOL',
    type: booleanType,
    fallback: 'false',
    help: 'Whether clients must say who they are, by HTTP basic or a token.',
  }),
  allowUnauthenticated: option({
    key: 'server.allow-unauthenticated',
    argument: 'BOOL',
    type: booleanType,
    fallback: 'false',
    help: 'Listen beyond the loopback interface without authentication: whoever can connect may do everything.',
  }),
  rootPasswordFile: option({
    key: 'server.root-password-file',
    argument: 'FILE',
    type: optionalPathType,
    fallback: '',
    help: 'Where the first password of the user root is read; or from the environment, TICKLOG_ROOT_PASSWORD.',
  }),
  jwtSecretFile: option({
    key: 'server.jwt-secret-file',
    argument: 'FILE',
    type: optionalPathType,
    fallback: '',
    help: 'The secret that signs tokens; one is made in the data directory when none is named.',
  }),
  sessionTimeoutMs: option({
    key: 'server.session-timeout',
    argument: 'SECONDS',
    type: secondsType(1, 31_536_000),
    fallback: '3600',
    help: 'How long a token of POST /_open/auth is good.',
  }),
  sslKeyfile: option({
    key: 'ssl.keyfile',
    argument: 'FILE',
    type: optionalPathType,
    fallback: '',
    help: 'PEM file with the key of the server, and its certificate unless --ssl.certfile has that.',
  }),
  sslCertfile: option({
    key: 'ssl.certfile',
    argument: 'FILE',
    type: optionalPathType,
    fallback: '',
    help: 'PEM file with the certificate of the server and those between it and its authority.',
  }),
  sslCafile: option({
    key: 'ssl.cafile',
    argument: 'FILE',
    type: optionalPathType,
    fallback: '',
    help: 'PEM file with authorities; clients must then show a certificate of one of them.',
  }),
  compatibleVersion: option({
    key: 'server.compatible-version',
    argument: 'VERSION',
    type: compatibleVersionType,
    fallback: '1.4.3',
    help:
      'Which ArangoDB to claim to be: followers and tools check it, and get its answers where they ' +
      'do not say which they want.',
  }),
  maxBodyBytes: option({
    key: 'server.max-body',
    argument: 'SIZE',
    type: sizeType(LIMIT_MIN_BYTES, 256 * MIB),
    fallback: '64MiB',
    help: 'Largest request body that is read as a whole; imports are not, and have no such limit.',
  }),
  bodyBudgetBytes: option({
    key: 'server.body-budget',
    argument: 'SIZE',
    type: sizeType(LIMIT_MIN_BYTES, 64 * GIB),
    fallback: '256MiB',
    help: 'Most memory for request bodies above 1MiB, of all requests together; others wait.',
  }),
  bodyTimeoutMs: option({
    key: 'server.body-timeout',
    argument: 'SECONDS',
    type: secondsType(0.1, 3600),
    fallback: '60',
    help: 'A request body of which less than 4KiB come in so many seconds is given up (408).',
  }),
  maxConnections: option({
    key: 'server.max-connections',
    argument: 'COUNT',
    type: countType(1, 1_000_000),
    fallback: '4096',
    help: 'Most connections at a time; further ones are answered 503 with Retry-After.',
  }),
  maxHeaderBytes: option({
    key: 'server.max-header',
    argument: 'SIZE',
    type: sizeType(LIMIT_MIN_BYTES, MIB),
    fallback: '32KiB',
    help: 'Longest head of a request, its URL included (431).',
  }),
  maxUrlBytes: option({
    key: 'server.max-url',
    argument: 'SIZE',
    type: sizeType(256, MIB),
    fallback: '16KiB',
    help: 'Longest URL, path and query together (414).',
  }),
  maxJobs: option({
    key: 'server.max-jobs',
    argument: 'COUNT',
    type: countType(1, 100_000),
    fallback: '64',
    help: 'Most requests that run at a time without anyone waiting for them (x-arango-async).',
  }),
  headerTimeoutMs: option({
    key: 'server.header-timeout',
    argument: 'SECONDS',
    type: secondsType(0.1, 3600),
    fallback: '30',
    help: 'A request whose head has not come in so many seconds is given up (408).',
  }),
  stalledAfterMs: option({
    key: 'server.stalled-timeout',
    argument: 'SECONDS',
    type: secondsType(0.1, 3600),
    fallback: '120',
    help: 'A client that takes nothing of its answer for so many seconds is disconnected.',
  }),
  stopDelayMs: option({
    key: 'server.stop-delay',
    argument: 'SECONDS',
    type: secondsType(0, 60),
    fallback: '0',
    help:
      'When told to stop, go on serving for so many seconds while /_admin/server/availability answers 503, ' +
      'so that load balancers learn of it.',
  }),
  loggerAutoStart: option({
    key: 'logger.auto-start',
    argument: 'BOOL',
    type: booleanType,
    fallback: 'true',
    help: 'Whether the logger of a new database runs at once and starts with the server.',
  }),
  logLevel: option({
    key: 'log.level',
    argument: 'LEVEL',
    type: choiceType(LOG_LEVELS),
    fallback: 'info',
    help: 'Least important messages to write: debug, info, warn, error or silent.',
  }),
  sync: option({
    key: 'storage.sync',
    flag: 'sync',
    argument: 'WHEN',
    type: choiceType(['always', 'never']),
    fallback: 'never',
    help: 'Whether each commit waits for the disk (always), or only those that ask for it (never).',
  }),
  documentMaxBytes: option({
    key: 'document.max-size',
    argument: 'SIZE',
    type: sizeType(LIMIT_MIN_BYTES, 256 * MIB),
    fallback: '64MiB',
    help: 'Longest document that clients may write; what comes from a leader is taken as it is.',
  }),
  transactionMaxBytes: option({
    key: 'transaction.max-size',
    argument: 'SIZE',
    type: sizeType(LIMIT_MIN_BYTES, GIB),
    fallback: '64MiB',
    help: 'Most that one transaction may write.',
  }),
  streamingIdleTimeoutMs: option({
    key: 'transaction.streaming-idle-timeout',
    argument: 'SECONDS',
    type: secondsType(1, 3600),
    fallback: '60',
    help: 'A transaction that nobody uses for so many seconds is aborted.',
  }),
  streamingMaxOpen: option({
    key: 'transaction.streaming-max-open',
    argument: 'COUNT',
    type: countType(1, 10_000),
    fallback: '100',
    help: 'Most transactions that are open at a time.',
  }),
  streamingBudgetBytes: option({
    key: 'transaction.streaming-budget',
    argument: 'SIZE',
    type: sizeType(LIMIT_MIN_BYTES, 64 * GIB),
    fallback: '128MiB',
    help: 'Most that all open transactions together hold in memory until they are committed.',
  }),
  pageMaxBytes: option({
    key: 'replication.max-page',
    argument: 'SIZE',
    type: sizeType(LIMIT_MIN_BYTES, 256 * MIB),
    fallback: '8MiB',
    help: 'Largest page of a dump or of the log, whatever chunkSize a follower asks for.',
  }),
  pageBudgetBytes: option({
    key: 'replication.page-budget',
    argument: 'SIZE',
    type: sizeType(LIMIT_MIN_BYTES, 64 * GIB),
    fallback: '256MiB',
    help: 'Most memory for pages that are built but not yet sent, of all followers together.',
  }),
  leaderEndpoints: option({
    key: 'replication.allow-endpoints',
    argument: 'LIST',
    type: hostPatternsType,
    fallback: '',
    help: 'Where this server may connect to as a follower: HOST:PORT,... with * for any; everywhere by default.',
  }),
  leaderCafile: option({
    key: 'replication.ssl-cafile',
    argument: 'FILE',
    type: optionalPathType,
    fallback: '',
    help: 'PEM file with authorities that leaders are trusted by, besides those that everybody trusts.',
  }),
  leaderKeyfile: option({
    key: 'replication.ssl-keyfile',
    argument: 'FILE',
    type: optionalPathType,
    fallback: '',
    help: 'PEM file with the certificate and key that are shown to leaders that want one.',
  }),
  leaderVerify: option({
    key: 'replication.ssl-verify',
    argument: 'BOOL',
    type: booleanType,
    fallback: 'true',
    help: 'Whether the certificates of leaders are checked.',
  }),
  maxBatches: option({
    key: 'replication.max-batches',
    argument: 'COUNT',
    type: countType(1, 1_000_000),
    fallback: '1000',
    help: 'Most dump batches that are open at a time, and as many barriers.',
  }),
  maxKeyLists: option({
    key: 'replication.max-key-lists',
    argument: 'COUNT',
    type: countType(1, 100_000),
    fallback: '64',
    help: 'Most lists of keys that are open at a time; of what is changed meanwhile, each keeps what was there.',
  }),
  newServerId: option({
    key: 'new-server-id',
    type: booleanType,
    fallback: 'false',
    help: 'Draw a new server id at this start, for a copied data directory.',
    sources: 'flag',
  }),
} as const;

type OptionInput<T> = Omit<Option<T>, 'flag' | 'sources'> & Partial<Option<T>>;

function option<T>(input: OptionInput<T>): Option<T> {
  return { flag: input.key, sources: 'all', ...input };
}

/** The name of the environment variable that sets `key`. */
export function environmentName(key: string): string {
  return `TICKLOG_${key.replaceAll(/[.-]/g, '_').toUpperCase()}`;
}
