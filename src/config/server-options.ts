import { inspect } from 'node:util';
import { type Option, OPTIONS } from './options.ts';
import {
  ConfigError,
  readConfig,
  ROOT_PASSWORD_VARIABLE,
  type ServerConfig,
} from './server-config.ts';
import type { ListenEndpoint } from './value-type.ts';

type OptionName = Exclude<
  keyof ServerConfig,
  'configuration' | 'endpoint' | 'leaderEndpoints' | 'rootPassword' | 'rootPasswordFile'
>;

/** A configuration as a program gives it: values as in `ServerConfig`, sizes also as text (`64MiB`). */
export type ServerOptions = {
  readonly [K in OptionName]?: ServerConfig[K] | (ServerConfig[K] extends number ? string : never);
} & {
  /**
   * Where to listen: `tcp://127.0.0.1:8529`, `ssl://...` for TLS, or host and port. Beyond the loopback interface
   * only with `authentication`. 127.0.0.1 and 0, which is any free port, unless given.
   */
  readonly endpoint?: string | Partial<ListenEndpoint>;
  /** First password of the user `root`, needed by a new directory with `authentication`. */
  readonly rootPassword?: string;
  /** Where the server may connect to as a follower, such as `['10.1.2.3:8529', '*.example.org']`. */
  readonly leaderEndpoints?: readonly string[];
};

const LISTEN_HOST = '127.0.0.1';
const FLAGS = new Map<string, Option<unknown>>(Object.entries(OPTIONS));
/** Not for programs: they bring their values. */
const NOT_TAKEN: ReadonlySet<string> = new Set<keyof typeof OPTIONS>([
  'configuration',
  'rootPasswordFile',
]);

/**
 * Checks options as those of the command line are checked, and fills in what is not given: the same
 * defaults, but a free port and no log. Neither environment nor files are read.
 *
 * @param databaseDirectory where the data lies when the options do not say
 * @throws ConfigError with all problems together
 */
export function configFromOptions(options: ServerOptions, databaseDirectory: string): ServerConfig {
  const given: Record<string, unknown> = {
    databaseDirectory,
    endpoint: {},
    logLevel: 'silent',
    ...withoutUndefined(options),
  };
  const { rootPassword = '' } = given;
  delete given['rootPassword'];
  const flags: Record<string, string> = {};
  const problems: string[] = [];
  if (typeof rootPassword !== 'string') problems.push('rootPassword: not a text');
  const env = { [ROOT_PASSWORD_VARIABLE]: String(rootPassword) };
  for (const [name, value] of Object.entries(given)) {
    const option = FLAGS.get(name);
    if (option && !NOT_TAKEN.has(name)) flags[option.flag] = textOf(name, value);
    else problems.push(`${name}: no such option; allowed: ${optionNames().join(', ')}`);
  }
  try {
    const config = readConfig({ flags, describeFlag, env, readFile });
    if (problems.length === 0) return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  throw new ConfigError(problems);
}

function withoutUndefined(options: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** As the value would be given on the command line, where times are in seconds. */
function textOf(name: string, value: unknown): string {
  if (name === 'endpoint' && typeof value === 'object' && value !== null) {
    const { host = LISTEN_HOST, port = 0, secure = false } = value as Partial<ListenEndpoint>;
    return `${secure ? 'ssl' : 'tcp'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }
  if (name === 'leaderEndpoints' && Array.isArray(value)) return value.join(',');
  if (typeof value === 'number') return String(name.endsWith('Ms') ? value / 1000 : value);
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  // No value of an option; printed so that the problem can show it.
  return inspect(value, { breakLength: Infinity });
}

function optionNames(): string[] {
  return [...FLAGS.keys()].filter((name) => !NOT_TAKEN.has(name));
}

function describeFlag(flag: string): string {
  const [name = flag] = [...FLAGS].find(([, option]) => option.flag === flag) ?? [];
  return `option ${name}`;
}

function readFile(path: string): never {
  throw new Error(`${path}: a program's options name no file`);
}
