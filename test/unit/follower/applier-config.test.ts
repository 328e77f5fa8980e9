import { describe, expect, test } from 'vitest';
import {
  applierConfigToWire,
  deleteApplierConfig,
  loadApplierConfig,
  mergeApplierConfig,
  writeApplierConfig,
} from '../../../src/follower/applier-config.ts';
import { type ApplierConfig, DEFAULT_APPLIER_CONFIG } from '../../../src/model/applier-config.ts';
import { ServiceError } from '../../../src/model/errors.ts';
import { TestCore } from '../../support/store.ts';

const DEFAULTS_SHOWN = {
  requestTimeout: 300,
  connectTimeout: 10,
  maxConnectRetries: 100,
  chunkSize: 0,
  autoStart: false,
  adaptivePolling: true,
};
const ENDPOINT = 'tcp://127.0.0.1:8613';

function merge(body: Record<string, unknown>, present = DEFAULT_APPLIER_CONFIG): ApplierConfig {
  return mergeApplierConfig(present, body, '_system');
}

function errorOf(body: Record<string, unknown>): ServiceError {
  try {
    merge(body);
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('unconfigured, exactly the defaults of 1.4 are shown', () => {
  const wire = applierConfigToWire(DEFAULT_APPLIER_CONFIG);
  expect(JSON.stringify(wire)).toBe(JSON.stringify(DEFAULTS_SHOWN));
});

test('a configured applier shows endpoint, database and user first, and never the password', () => {
  const config = merge({ endpoint: ENDPOINT, username: 'root', password: 'secret', jwt: 'x' });
  expect(config.password).toBe('secret');
  expect(JSON.stringify(applierConfigToWire(config))).toBe(
    JSON.stringify({
      endpoint: ENDPOINT,
      database: '_system',
      username: 'root',
      ...DEFAULTS_SHOWN,
    }),
  );
});

test('fields of later generations are kept, and shown when they differ from their defaults', () => {
  const given = {
    includeSystem: false,
    requireFromPresent: true,
    autoResync: true,
    autoResyncRetries: 5,
    restrictType: 'exclude',
    restrictCollections: ['a', 'b'],
    connectionRetryWaitTime: 1.5,
    idleMinWaitTime: 0.5,
    idleMaxWaitTime: 10,
    verbose: true,
    incremental: true,
    allowWrites: true,
    allowLogGap: true,
  };
  const wire = applierConfigToWire(merge({ endpoint: ENDPOINT, ...given }));
  expect(wire).toEqual({ endpoint: ENDPOINT, database: '_system', ...DEFAULTS_SHOWN, ...given });
  const same = applierConfigToWire(
    merge({ endpoint: ENDPOINT, autoResync: false, verbose: false }),
  );
  expect(same).toEqual({ endpoint: ENDPOINT, database: '_system', ...DEFAULTS_SHOWN });
});

describe('a PUT', () => {
  test('keeps what it does not name', () => {
    const first = merge({ endpoint: ENDPOINT, username: 'root', requestTimeout: 20 });
    const second = merge({ maxConnectRetries: 3 }, first);
    expect(second).toEqual({ ...first, maxConnectRetries: 3 });
  });

  test('passes over values of a wrong type, and names it does not know', () => {
    const first = merge({ endpoint: ENDPOINT });
    const wrong = {
      maxConnectRetries: 'x',
      autoStart: 1,
      requestTimeout: 'y',
      endpoint: 17,
      username: null,
      restrictType: 3,
      restrictCollections: 'a',
      whatever: true,
    };
    expect(merge(wrong, first)).toEqual(first);
  });

  test('without a database falls back to the own one, also when another was set', () => {
    const first = merge({ endpoint: ENDPOINT, database: 'theirs' });
    expect(first.database).toBe('theirs');
    expect(merge({ chunkSize: 1 }, first).database).toBe('_system');
    expect(merge({ database: 5 }, first).database).toBe('_system');
  });

  test.each([{}, { endpoint: '' }, { endpoint: 17 }])(
    'without an endpoint is refused: %j',
    (body) => {
      const error = errorOf(body);
      expect([error.errorNum, error.httpStatus]).toEqual([1410, 400]);
      expect(error.message).toBe('invalid replication applier configuration');
    },
  );

  test.each([
    { endpoint: 'foo' },
    { endpoint: 'tcp://' },
    { endpoint: ENDPOINT, requestTimeout: -1 },
    { endpoint: ENDPOINT, chunkSize: -1 },
    { endpoint: ENDPOINT, chunkSize: 2 ** 53 },
    { endpoint: ENDPOINT, requestTimeout: 1_000_001 },
    { endpoint: ENDPOINT, connectTimeout: 1e12 },
    { endpoint: ENDPOINT, idleMaxWaitTime: Infinity },
    { endpoint: ENDPOINT, restrictType: 'only', restrictCollections: ['a'] },
    { endpoint: ENDPOINT, restrictType: 'include' },
    { endpoint: ENDPOINT, restrictCollections: ['a'] },
    { endpoint: ENDPOINT, restrictType: 'include', restrictCollections: [17] },
  ])('that cannot be meant is refused: %j', (body) => {
    const error = errorOf(body);
    expect([error.errorNum, error.httpStatus]).toEqual([1410, 400]);
  });

  test('takes the spellings of 3.8 for no restriction, and for any number of errors', () => {
    const config = merge({ endpoint: ENDPOINT, restrictType: 'none', ignoreErrors: true });
    expect(config.restrictType).toBe('');
    expect(config.ignoreErrors).toBe(Number.MAX_SAFE_INTEGER);
    expect(merge({ ignoreErrors: false }, config).ignoreErrors).toBe(0);
  });
});

test('the configuration survives a restart, and is gone when it is deleted', async () => {
  await using core = await TestCore.open();
  const { number } = core.system;
  const config = merge({ endpoint: ENDPOINT, password: 'p', idleMaxWaitTime: 7.5 });
  await core.store.commit((tx) => writeApplierConfig(tx, number, config));
  await core.reopen();
  expect(loadApplierConfig(core.store, number)).toEqual(config);
  await core.store.commit((tx) => deleteApplierConfig(tx, number));
  expect(loadApplierConfig(core.store, number)).toEqual(DEFAULT_APPLIER_CONFIG);
});
