import { OptionReader, type ConfigSources } from './option-reader.ts';
import { OPTIONS, type LOG_LEVELS } from './options.ts';
import { formatBytes, type HostPattern, isLoopback, type ListenEndpoint } from './value-type.ts';

/** How a server is to run; checked and frozen. */
export interface ServerConfig {
  /** The file that options were read from, '' for none. */
  readonly configuration: string;
  /** As it was given: a relative path is meant from the working directory. */
  readonly databaseDirectory: string;
  readonly endpoint: ListenEndpoint;
  readonly authentication: boolean;
  /** Whether to listen beyond the loopback interface without authentication. */
  readonly allowUnauthenticated: boolean;
  /** For the first start with authentication; from the environment only, '' for none. */
  readonly rootPassword: string;
  /** Paths of files, '' for none. */
  readonly rootPasswordFile: string;
  readonly jwtSecretFile: string;
  readonly sessionTimeoutMs: number;
  readonly sslKeyfile: string;
  readonly sslCertfile: string;
  readonly sslCafile: string;
  /** Such as `1.4.3` or `3.0.3`. */
  readonly compatibleVersion: string;
  readonly maxBodyBytes: number;
  /** Never below `maxBodyBytes`. */
  readonly bodyBudgetBytes: number;
  readonly bodyTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  /** Below `maxHeaderBytes`. */
  readonly maxUrlBytes: number;
  readonly maxJobs: number;
  readonly headerTimeoutMs: number;
  readonly stalledAfterMs: number;
  readonly stopDelayMs: number;
  readonly loggerAutoStart: boolean;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly sync: 'always' | 'never';
  readonly documentMaxBytes: number;
  readonly transactionMaxBytes: number;
  readonly streamingIdleTimeoutMs: number;
  readonly streamingMaxOpen: number;
  readonly streamingBudgetBytes: number;
  readonly pageMaxBytes: number;
  /** Never below `pageMaxBytes`. */
  readonly pageBudgetBytes: number;
  /** Where this server may connect to as a follower; empty for everywhere. */
  readonly leaderEndpoints: readonly HostPattern[];
  readonly leaderCafile: string;
  readonly leaderKeyfile: string;
  readonly leaderVerify: boolean;
  readonly maxBatches: number;
  readonly maxKeyLists: number;
  readonly newServerId: boolean;
}

/** The environment variable of the first password; no flag has it, for those can be seen by others. */
export const ROOT_PASSWORD_VARIABLE = 'TICKLOG_ROOT_PASSWORD';

/** A configuration that can not be used; says everything that is wrong with it, not just the first. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** One sentence each: key, value, where it came from, and what is allowed. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/**
 * Puts the configuration together: a flag wins over the environment, that over the file that --configuration
 * (or TICKLOG_CONFIGURATION) names, that over the default. A value that is overridden is not looked at.
 * Unknown flags and unknown keys in the file are problems. Unknown variables are not: container
 * platforms set some of their own that begin with the name of the service.
 * @throws ConfigError with all problems together.
 */
export function readConfig(sources: ConfigSources): ServerConfig {
  const reader = new OptionReader(sources);
  const config: ServerConfig = {
    configuration: reader.filePath,
    databaseDirectory: reader.value(OPTIONS.databaseDirectory),
    endpoint: Object.freeze(reader.value(OPTIONS.endpoint)),
    authentication: reader.value(OPTIONS.authentication),
    allowUnauthenticated: reader.value(OPTIONS.allowUnauthenticated),
    rootPassword: sources.env[ROOT_PASSWORD_VARIABLE] ?? '',
    rootPasswordFile: reader.value(OPTIONS.rootPasswordFile),
    jwtSecretFile: reader.value(OPTIONS.jwtSecretFile),
    sessionTimeoutMs: reader.value(OPTIONS.sessionTimeoutMs),
    sslKeyfile: reader.value(OPTIONS.sslKeyfile),
    sslCertfile: reader.value(OPTIONS.sslCertfile),
    sslCafile: reader.value(OPTIONS.sslCafile),
    compatibleVersion: reader.value(OPTIONS.compatibleVersion),
    maxBodyBytes: reader.value(OPTIONS.maxBodyBytes),
    bodyBudgetBytes: reader.value(OPTIONS.bodyBudgetBytes),
    bodyTimeoutMs: reader.value(OPTIONS.bodyTimeoutMs),
    maxConnections: reader.value(OPTIONS.maxConnections),
    maxHeaderBytes: reader.value(OPTIONS.maxHeaderBytes),
    maxUrlBytes: reader.value(OPTIONS.maxUrlBytes),
    maxJobs: reader.value(OPTIONS.maxJobs),
    headerTimeoutMs: reader.value(OPTIONS.headerTimeoutMs),
    stalledAfterMs: reader.value(OPTIONS.stalledAfterMs),
    stopDelayMs: reader.value(OPTIONS.stopDelayMs),
    loggerAutoStart: reader.value(OPTIONS.loggerAutoStart),
    logLevel: reader.value(OPTIONS.logLevel),
    sync: reader.value(OPTIONS.sync),
    documentMaxBytes: reader.value(OPTIONS.documentMaxBytes),
    transactionMaxBytes: reader.value(OPTIONS.transactionMaxBytes),
    streamingIdleTimeoutMs: reader.value(OPTIONS.streamingIdleTimeoutMs),
    streamingMaxOpen: reader.value(OPTIONS.streamingMaxOpen),
    streamingBudgetBytes: reader.value(OPTIONS.streamingBudgetBytes),
    pageMaxBytes: reader.value(OPTIONS.pageMaxBytes),
    pageBudgetBytes: reader.value(OPTIONS.pageBudgetBytes),
    leaderEndpoints: reader.value(OPTIONS.leaderEndpoints),
    leaderCafile: reader.value(OPTIONS.leaderCafile),
    leaderKeyfile: reader.value(OPTIONS.leaderKeyfile),
    leaderVerify: reader.value(OPTIONS.leaderVerify),
    maxBatches: reader.value(OPTIONS.maxBatches),
    maxKeyLists: reader.value(OPTIONS.maxKeyLists),
    newServerId: reader.value(OPTIONS.newServerId),
  };
  const problems = [...reader.problems];
  // A value that was refused stands here as its default; comparing that would only confuse.
  if (problems.length === 0) problems.push(...contradictions(config));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

/** Paths of the files that options name. */
export function filesNamed(config: ServerConfig): string[] {
  const { configuration, rootPasswordFile, jwtSecretFile } = config;
  const { sslKeyfile, sslCertfile, sslCafile, leaderCafile, leaderKeyfile } = config;
  const secrets = [configuration, rootPasswordFile, jwtSecretFile];
  const ofTls = [sslKeyfile, sslCertfile, sslCafile, leaderCafile, leaderKeyfile];
  return [...secrets, ...ofTls].filter((path) => path !== '');
}

/** Pairs of which the first must not be smaller than the second, and what the second is. */
const NOT_SMALLER = [
  ['pageBudgetBytes', 'pageMaxBytes', 'a single page'],
  ['bodyBudgetBytes', 'maxBodyBytes', 'a single body'],
  ['maxHeaderBytes', 'maxUrlBytes', 'a URL in it'],
] as const;

function contradictions(config: ServerConfig): string[] {
  const problems = NOT_SMALLER.filter(([larger, smaller]) => config[larger] < config[smaller]).map(
    ([larger, smaller, what]) =>
      `${OPTIONS[larger].key}: ${formatBytes(config[larger])} is less than ${what}; ` +
      `allowed: at least ${OPTIONS[smaller].key}, which is ${formatBytes(config[smaller])}`,
  );
  const { endpoint, authentication, allowUnauthenticated } = config;
  if (!isLoopback(endpoint.host) && !authentication && !allowUnauthenticated) {
    problems.push(
      `server.endpoint: ${endpoint.host} is reached by others, and nobody is asked who he is; allowed: a host ` +
        'on the loopback interface (127.0.0.0/8, [::1] or localhost), any with --server.authentication true, ' +
        'or --server.allow-unauthenticated true if everybody who can connect may do everything',
    );
  }
  if (endpoint.secure && config.sslKeyfile === '') {
    problems.push('ssl.keyfile: needed by an endpoint that begins with ssl:// or https://');
  }
  if (!endpoint.secure && (config.sslKeyfile || config.sslCertfile || config.sslCafile) !== '') {
    problems.push(
      'server.endpoint: files for TLS are named, but it is not used; allowed: ssl://HOST:PORT',
    );
  }
  return problems;
}
