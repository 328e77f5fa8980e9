import { withoutPassword } from '../base/without-password.ts';
import { type ApplierConfig, DEFAULT_APPLIER_CONFIG } from '../model/applier-config.ts';
import { ServiceError } from '../model/errors.ts';
import { metaKey } from '../storage/keys.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Store } from '../storage/store.ts';
import type { WriteTx } from '../storage/write-tx.ts';
import { parseEndpoint } from './endpoint.ts';
import { ANY_LEADER, type LeaderAccess, assertAllowed } from './leader-access.ts';
import { readSelection } from './leader-selection.ts';

type FieldName = keyof ApplierConfig;

/** Whose columns of contract 5.1 are shown. */
export type ConfigShape = '1.4' | '3.x';

/** Shown always, in this order, those without a value left out (contract 5.1). */
const ALWAYS_SHOWN: Readonly<Record<ConfigShape, readonly FieldName[]>> = {
  '1.4': [
    ...(['endpoint', 'database', 'username', 'requestTimeout', 'connectTimeout'] as const),
    ...(['maxConnectRetries', 'chunkSize', 'autoStart', 'adaptivePolling'] as const),
  ],
  '3.x': [
    ...(['endpoint', 'database', 'username', 'requestTimeout', 'connectTimeout'] as const),
    ...(['ignoreErrors', 'maxConnectRetries', 'sslProtocol', 'chunkSize', 'autoStart'] as const),
    ...(['adaptivePolling', 'autoResync', 'autoResyncRetries', 'includeSystem'] as const),
    ...(['requireFromPresent', 'verbose', 'incremental', 'useCollectionId'] as const),
    ...(['restrictType', 'restrictCollections', 'connectionRetryWaitTime'] as const),
    ...(['initialSyncMaxWaitTime', 'idleMinWaitTime', 'idleMaxWaitTime'] as const),
  ],
};
const NEVER_SHOWN: ReadonlySet<FieldName> = new Set<FieldName>(['password', 'jwt']);
const SECONDS: ReadonlySet<string> = new Set<FieldName>([
  ...(['requestTimeout', 'connectTimeout', 'connectionRetryWaitTime'] as const),
  ...(['initialSyncMaxWaitTime', 'idleMinWaitTime', 'idleMaxWaitTime'] as const),
]);
/** More is surely a mistake, and no timer can do much more. */
const SECONDS_MAX = 1_000_000;
/** Texts without a default. */
const TEXTS: readonly FieldName[] = ['endpoint', 'username', 'password', 'jwt'];

function configKey(databaseNumber: number): Buffer {
  return metaKey('a', databaseNumber);
}

/** The stored settings of a database; the defaults where none are stored. */
export function loadApplierConfig(store: Store, databaseNumber: number): ApplierConfig {
  const stored = store.record<Partial<ApplierConfig>>(configKey(databaseNumber));
  return { ...DEFAULT_APPLIER_CONFIG, ...stored };
}

/** Stores the settings. The password is in it in clear text: it must be sent to the leader. */
export function writeApplierConfig(
  tx: WriteTx,
  databaseNumber: number,
  config: ApplierConfig,
): void {
  const key = configKey(databaseNumber);
  tx.put(key, encodeRecord(key, config));
}

/** Forgets the settings. */
export function deleteApplierConfig(tx: WriteTx, databaseNumber: number): void {
  tx.del(configKey(databaseNumber));
}

/**
 * The settings after a PUT (contract 5.1): what the body names replaces what was there. Attributes
 * that are unknown or of a wrong type are passed over, but `database` falls back to
 * `ownDatabase` whenever it is not given.
 *
 * @throws ServiceError invalidApplierConfiguration (1410) without a usable endpoint, for a number
 *   that is negative or too large, and for restrictions that contradict each other; forbidden (403/11) for an
 *   endpoint that this server may not connect to
 */
export function mergeApplierConfig(
  present: ApplierConfig,
  body: Readonly<Record<string, unknown>>,
  ownDatabase: string,
  leaderAccess: LeaderAccess = ANY_LEADER,
): ApplierConfig {
  const merged: Record<string, unknown> = { ...present };
  for (const name of TEXTS) {
    if (typeof body[name] === 'string') merged[name] = body[name];
  }
  for (const [name, fallback] of Object.entries(DEFAULT_APPLIER_CONFIG)) {
    const value = body[name];
    if (typeof value === typeof fallback && !Array.isArray(fallback)) merged[name] = value;
  }
  const { database, ignoreErrors, restrictCollections } = body;
  merged['database'] = typeof database === 'string' ? database : ownDatabase;
  // 3.8 takes a boolean here, too.
  if (typeof ignoreErrors === 'boolean') {
    merged['ignoreErrors'] = ignoreErrors ? Number.MAX_SAFE_INTEGER : 0;
  }
  if (merged['restrictType'] === 'none') merged['restrictType'] = '';
  if (Array.isArray(restrictCollections)) {
    merged['restrictCollections'] = restrictCollections.map((each: unknown) => {
      if (typeof each === 'string' && each !== '') return each;
      throw invalid('restrictCollections must be a list of collection names');
    });
  }
  const config = merged as unknown as ApplierConfig;
  assertUsable(config, leaderAccess);
  return config;
}

/**
 * What GET and PUT answer: the fields of a generation, and of the others those that differ from
 * their defaults.
 */
export function applierConfigToWire(
  config: ApplierConfig,
  shape: ConfigShape = '1.4',
): Record<string, unknown> {
  const wire: Record<string, unknown> = {};
  for (const name of ALWAYS_SHOWN[shape]) {
    if (config[name] !== undefined) wire[name] = config[name];
  }
  const defaults = DEFAULT_APPLIER_CONFIG;
  for (const name of Object.keys(defaults) as FieldName[]) {
    if (name in wire || NEVER_SHOWN.has(name)) continue;
    if (JSON.stringify(config[name]) !== JSON.stringify(defaults[name])) wire[name] = config[name];
  }
  return wire;
}

/**
 * The settings that a request for a copy says (contract 3.7, 3.8): what the body names, defaults for all else.
 *
 * @throws ServiceError httpBadParameter (400/400) without an endpoint, or for a restriction that is only
 *   half given; invalidApplierConfiguration (1410) as `mergeApplierConfig`
 */
export function leaderConfig(
  body: Readonly<Record<string, unknown>>,
  ownDatabase: string,
  leaderAccess?: LeaderAccess,
): ApplierConfig {
  const named = { ...body, ...readSelection(body), database: body['database'] || ownDatabase };
  return mergeApplierConfig(DEFAULT_APPLIER_CONFIG, named, ownDatabase, leaderAccess);
}

function assertUsable(config: ApplierConfig, leaderAccess: LeaderAccess): void {
  // The text of 1.4 where nothing is set; else what is wrong with what is set.
  if (config.endpoint === undefined || config.endpoint === '') throw invalid();
  const endpoint = parseEndpoint(config.endpoint);
  if (!endpoint) {
    throw invalid(
      `'${withoutPassword(config.endpoint)}' is not an endpoint such as tcp://127.0.0.1:8529`,
    );
  }
  assertAllowed(leaderAccess, endpoint);
  for (const [name, value] of Object.entries(config)) {
    if (typeof value !== 'number') continue;
    if (!(value >= 0)) throw invalid(`${name} must not be negative`);
    const largest = SECONDS.has(name) ? SECONDS_MAX : Number.MAX_SAFE_INTEGER;
    if (value > largest) throw invalid(`${name} must not be above ${largest}`);
  }
  const { restrictType, restrictCollections } = config;
  if (!['', 'include', 'exclude'].includes(restrictType)) {
    throw invalid('restrictType must be "include", "exclude", or empty');
  }
  if ((restrictType === '') !== (restrictCollections.length === 0)) {
    throw invalid('restrictType and restrictCollections go together');
  }
}

function invalid(detail?: string): ServiceError {
  return new ServiceError('invalidApplierConfiguration', detail);
}
