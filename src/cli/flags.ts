import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Endpoint, parseEndpoint } from '../follower/endpoint.ts';
import { readTrust } from '../follower/leader-tls.ts';
import { MAX_WIRE_TICK, parseTick, type Tick } from '../model/tick.ts';
import { type CliIo, UsageError } from './io.ts';
import type { Connection } from './server-client.ts';

/** What the commands are given to run with. */
export interface CliContext {
  readonly io: CliIo;
  /** Aborted when the process is told to end. */
  readonly signal: AbortSignal;
  /** Takes what the process is to end with. */
  readonly done: (exitCode: number) => void;
}

/** Flags under which a verb finds its server; named as those of arangodump. */
export interface ConnectionFlags {
  readonly 'server.endpoint': Endpoint;
  readonly 'server.database': string;
  readonly 'server.username': string;
  readonly 'server.password': string;
  /** What stands in the file. */
  readonly 'server.passwordFile'?: string;
  readonly 'ssl.cafile': string;
  readonly 'ssl.keyfile': string;
  readonly 'ssl.verify': boolean;
  readonly 'server.requestTimeout': number;
  readonly 'server.connectionTimeout': number;
}

/** Flags of the verbs that make a copy of a leader. */
export interface LeaderFlags {
  readonly 'leader.database'?: string;
  readonly 'leader.username': string;
  readonly 'leader.password': string;
  readonly 'leader.passwordFile'?: string;
  readonly restrictType?: RestrictType;
  readonly collection: readonly string[];
  readonly includeSystemCollections?: boolean;
}

type RestrictType = 'include' | 'exclude';

/** Flags that dump and restore have in common; named as those of arangodump. */
export interface TransferFlags {
  /** Only these; all when empty. */
  readonly collection: readonly string[];
  readonly includeSystemCollections: boolean;
  /** How many collections at a time. */
  readonly threads: number;
  /** Go on with the next collection when one fails. */
  readonly force: boolean;
  /** Say what is being done. */
  readonly progress: boolean;
}

const DEFAULT_ENDPOINT = 'tcp://127.0.0.1:8529';
const REQUEST_TIMEOUT_SECONDS = 1200;
const CONNECTION_TIMEOUT_SECONDS = 5;
const SECONDS_MAX = 1_000_000;
const THREADS = 2;
const THREADS_MAX = 64;
/** Less would be a request for every few documents, more does not fit into one. */
const BYTES_MIN = 1024;
const BYTES_MAX = 128 * 1024 * 1024;
const BYTE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['k', 1024],
  ['m', 1024 * 1024],
]);

/** The flags of a verb that talks to one server. */
export function addConnectionFlags(command: Command): Command {
  return addServerFlags(command).option(
    '--server.database <NAME>',
    'The database on it.',
    '_system',
  );
}

/** The flags of a verb that talks to one server, but not about a database of it. */
export function addServerFlags(command: Command): Command {
  const help = 'The server to talk to: tcp://, http://, ssl:// or https://, host and port.';
  const endpoint = new Option('--server.endpoint <ENDPOINT>', help)
    .argParser(parseEndpointFlag)
    .env('TICKLOG_SERVER_ENDPOINT')
    .default(parseEndpointFlag(DEFAULT_ENDPOINT), DEFAULT_ENDPOINT);
  return addAccessFlags(command.addOption(endpoint));
}

/** The flags of a verb that is given its servers as arguments. */
export function addAccessFlags(command: Command): Command {
  addUserFlags(command, 'server', 'User to log in as; none by default.');
  return addTrustFlags(command)
    .option(
      '--server.request-timeout <SECONDS>',
      'Longest silence of the server during a request.',
      parseSeconds,
      REQUEST_TIMEOUT_SECONDS,
    )
    .option(
      '--server.connection-timeout <SECONDS>',
      'Longest wait for a connection.',
      parseSeconds,
      CONNECTION_TIMEOUT_SECONDS,
    );
}

/**
 * The flags that say as whom somebody logs in. What is on a command line can be seen by others on the machine; in
 * the environment and in files it can not.
 */
function addUserFlags(command: Command, side: 'server' | 'leader', help: string): Command {
  const variable = `TICKLOG_${side.toUpperCase()}`;
  const username = new Option(`--${side}.username <NAME>`, `${help} Also ${variable}_USERNAME.`);
  const password = new Option(
    `--${side}.password <TEXT>`,
    `Password of that user; better in the environment, as ${variable}_PASSWORD.`,
  );
  return command
    .addOption(username.env(`${variable}_USERNAME`).default(''))
    .addOption(password.env(`${variable}_PASSWORD`).default(''))
    .option(`--${side}.password-file <FILE>`, 'File that holds the password.', readPasswordFile);
}

/** The flags of connections by TLS. */
function addTrustFlags(command: Command): Command {
  return command
    .option(
      '--ssl.cafile <FILE>',
      'PEM file with authorities to trust besides those that everybody trusts.',
      '',
    )
    .option(
      '--ssl.keyfile <FILE>',
      'PEM file with a certificate and its key, for servers that want one.',
      '',
    )
    .option(
      '--ssl.verify <BOOL>',
      'Whether the certificates of servers are checked.',
      parseBoolean,
      true,
    );
}

/** The flags that say what of a leader is copied. */
export function addLeaderFlags(command: Command): Command {
  const help = 'Database on the leader; default: --server.database.';
  return addUserFlags(
    command.option('--leader.database <NAME>', help),
    'leader',
    'User on the leader; none by default.',
  )
    .option(
      '--restrict-type <TYPE>',
      'Copy only (include) or all but (exclude) the collections named with --collection; ' +
        'include when that is given without this.',
      parseRestrictType,
    )
    .option('--collection <NAME>', 'A collection; may be given several times.', collect, [])
    .option(
      '--include-system-collections [BOOL]',
      'Whether collections whose names start with _ are copied; the server does so by default.',
      parseBoolean,
    );
}

/**
 * The flag that names the directory of a dump.
 * @param direction seen from this program
 */
export function addDirectoryFlag(
  command: Command,
  direction: 'input' | 'output',
  help: string,
): Command {
  return command.option(`--${direction}-directory <DIRECTORY>`, help, 'dump');
}

/** The flags of dump and restore. @param done what is done to collections */
export function addTransferFlags(command: Command, done: 'dumped' | 'restored'): Command {
  return command
    .option(
      '--collection <NAME>',
      `A collection that is ${done}, in place of all; may be given several times.`,
      collect,
      [],
    )
    .option(
      '--include-system-collections [BOOL]',
      'Also collections whose names start with _.',
      parseBoolean,
      false,
    )
    .option('--threads <NUMBER>', 'Collections at a time.', parseThreads, THREADS)
    .option(
      '--force [BOOL]',
      `Go on when a collection can not be ${done}; the end is a failure all the same.`,
      parseBoolean,
      false,
    )
    .option(
      '--progress [BOOL]',
      'Say what is being done, and how far it has come.',
      parseBoolean,
      true,
    )
    .option('--no-progress', 'The same as --progress false.');
}

/** The connection that the flags describe. */
export function connectionOf(flags: ConnectionFlags): Connection {
  return connectionTo(flags['server.endpoint'], flags['server.database'], flags);
}

/** A connection to a server that is named by an argument. */
export function connectionTo(
  endpoint: Endpoint,
  database: string,
  flags: Omit<ConnectionFlags, 'server.endpoint' | 'server.database'>,
): Connection {
  return {
    endpoint,
    database,
    username: flags['server.username'],
    password: flags['server.passwordFile'] ?? flags['server.password'],
    tls: readTrust(
      {
        cafile: flags['ssl.cafile'],
        keyfile: flags['ssl.keyfile'],
        verify: flags['ssl.verify'],
      },
      (path) => readFileSync(path, 'utf8'),
    ),
    requestTimeoutMs: flags['server.requestTimeout'] * 1000,
    connectTimeoutMs: flags['server.connectionTimeout'] * 1000,
  };
}

/** What of which leader is copied, as sync and applier-config want it (contract 3.7, 5.1). */
export interface LeaderSelection {
  readonly endpoint: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  readonly restrictType: '' | RestrictType;
  readonly restrictCollections: readonly string[];
  readonly includeSystem?: boolean;
}

/** @throws UsageError for a restriction without collections */
export function selectionOf(
  leader: Endpoint,
  flags: LeaderFlags & Pick<ConnectionFlags, 'server.database'>,
): LeaderSelection {
  const { restrictType, collection, includeSystemCollections } = flags;
  if (restrictType !== undefined && collection.length === 0) {
    throw new UsageError(`--restrict-type ${restrictType} needs at least one --collection`);
  }
  return {
    endpoint: leader.text,
    database: flags['leader.database'] ?? flags['server.database'],
    username: flags['leader.username'],
    password: flags['leader.passwordFile'] ?? flags['leader.password'],
    // Naming collections without saying what for can only mean these.
    restrictType: collection.length === 0 ? '' : (restrictType ?? 'include'),
    restrictCollections: collection,
    ...(includeSystemCollections === undefined ? {} : { includeSystem: includeSystemCollections }),
  };
}

/** For flags that may be given several times. */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

/** @throws InvalidArgumentError unless it is an endpoint */
export function parseEndpointFlag(value: string): Endpoint {
  const endpoint = parseEndpoint(value);
  if (endpoint) return endpoint;
  throw new InvalidArgumentError('Expected something like tcp://127.0.0.1:8529.');
}

/** @throws InvalidArgumentError unless it is a tick */
export function parseTickFlag(value: string): Tick {
  const tick = parseTick(value);
  if (tick !== undefined) return tick;
  throw new InvalidArgumentError(`Expected a number from 0 to ${MAX_WIRE_TICK}.`);
}

/** The text of a file without the white space around it. @throws InvalidArgumentError */
export function readPasswordFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** A number of seconds, which may have a fraction. @throws InvalidArgumentError */
export function parseSeconds(value: string): number {
  const seconds = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (seconds <= SECONDS_MAX) return seconds;
  throw new InvalidArgumentError(`Expected a number of seconds up to ${SECONDS_MAX}.`);
}

/** A number of bytes; `k` and `m` behind it are for KiB and MiB. @throws InvalidArgumentError */
export function parseByteCount(value: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,15})([km]?)$/i.exec(value) ?? [];
  const bytes = digits === '' ? 0 : Number(digits) * (BYTE_UNITS.get(unit.toLowerCase()) ?? 1);
  if (bytes >= BYTES_MIN && bytes <= BYTES_MAX) return bytes;
  throw new InvalidArgumentError(`Expected a number of bytes from ${BYTES_MIN} to ${BYTES_MAX}.`);
}

function parseThreads(value: string): number {
  const threads = /^\d{1,3}$/.test(value) ? Number(value) : 0;
  if (threads >= 1 && threads <= THREADS_MAX) return threads;
  throw new InvalidArgumentError(`Expected a number from 1 to ${THREADS_MAX}.`);
}

/** @throws InvalidArgumentError unless it is true or false */
export function parseBoolean(value: string): boolean {
  const found = new Map([
    ['true', true],
    ['false', false],
  ]).get(value.toLowerCase());
  if (found !== undefined) return found;
  throw new InvalidArgumentError('Expected true or false.');
}

function parseRestrictType(value: string): RestrictType {
  if (value === 'include' || value === 'exclude') return value;
  throw new InvalidArgumentError('Expected include or exclude.');
}
