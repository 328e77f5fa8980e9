import { describe, expect, test } from 'vitest';
import { nearestName } from '../../../src/base/nearest-name.ts';

const FLAGS = [
  ...['configuration', 'database.directory', 'server.endpoint', 'server.username', 'sync'],
  ...['server.authentication', 'logger.auto-start', 'wait', 'watch', 'server.password-file'],
];

describe('the name that was meant', () => {
  test.each([
    ['port', 'server.endpoint'],
    ['prot', 'server.endpoint'],
    ['host', 'server.endpoint'],
    ['endpoint', 'server.endpoint'],
    ['server.endpiont', 'server.endpoint'],
    ['server.port', 'server.endpoint'],
    ['server-endpoint', 'server.endpoint'],
    ['directory', 'database.directory'],
    ['data-dir', 'database.directory'],
    ['Directory', 'database.directory'],
    ['user', 'server.username'],
    ['password', 'server.password-file'],
    ['auto-strat', 'logger.auto-start'],
    ['storage.sync', 'sync'],
    ['wach', 'watch'],
    ['wati', 'wait'],
  ])('%s is %s', (wanted, meant) => {
    expect(nearestName(wanted, FLAGS)).toBe(meant);
  });

  test.each(['loud', 'x', '', 'no-such-flag', 'zzzzzzzzzzzz'])('%j is none', (wanted) => {
    expect(nearestName(wanted, FLAGS)).toBeUndefined();
  });

  test('is one of those that there are', () => {
    expect(nearestName('port', ['yes'])).toBeUndefined();
    expect(nearestName('port', [])).toBeUndefined();
  });
});
