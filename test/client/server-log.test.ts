import { pino } from 'pino';
import { expect, test } from 'vitest';
import { LOG_OPTIONS } from '../../src/log-options.ts';

function logged(log: (logger: pino.Logger) => void): string {
  let text = '';
  log(pino(LOG_OPTIONS, { write: (line) => (text += line) }));
  return text;
}

test.each([
  ['a password', { password: 'hunter2secret' }],
  ['a password in a configuration', { config: { endpoint: 'tcp://a', password: 'hunter2secret' } }],
  ['a token', { leader: { access: { jwt: 'hunter2secret' } } }],
  ['a header', { request: { headers: { authorization: 'Basic hunter2secret' } } }],
  ['credentials in a text', { reason: 'sent authorization: bearer hunter2secret to the leader' }],
  ['credentials in a URL', { endpoint: 'http://root:hunter2secret@127.0.0.1:8529' }],
  ['the message of an error', { err: new Error('no way to tcp://root:hunter2secret@host') }],
])('%s is not written', (_what, fields) => {
  const text = logged((logger) => logger.child({ database: 'shop' }).error(fields, 'failed'));
  expect(text).not.toContain('hunter2secret');
  expect(text).toContain('[redacted]');
  expect(JSON.parse(text)).toMatchObject({ database: 'shop', msg: 'failed' });
});

test('bindings of a child are looked at, too', () => {
  const text = logged((logger) => logger.child({ token: 'hunter2secret' }).info({}, 'begun'));
  expect(text).not.toContain('hunter2secret');
});

test('what is no secret stays as it is', () => {
  const text = logged((logger) =>
    logger.info({ endpoint: 'tcp://127.0.0.1:8529', path: '/_api/user/basic' }, 'basic things'),
  );
  expect(JSON.parse(text)).toMatchObject({
    ...{ endpoint: 'tcp://127.0.0.1:8529', path: '/_api/user/basic', msg: 'basic things' },
  });
});
