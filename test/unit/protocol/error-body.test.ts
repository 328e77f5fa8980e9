import { expect, test } from 'vitest';
import { ServiceError } from '../../../src/model/errors.ts';
import { errorBody, readErrorBody, remoteErrorText } from '../../../src/protocol/error-body.ts';

test('the body carries number, status and text, and what the error adds', () => {
  const error = new ServiceError('conflict', 'precondition failed', {
    httpStatus: 412,
    fields: { _rev: '7', error: false, code: 200 },
  });
  expect(errorBody(error)).toEqual({
    error: true,
    errorMessage: 'precondition failed',
    code: 412,
    errorNum: 1200,
    _rev: '7',
  });
});

test('an error body is understood on the other side', () => {
  const error = new ServiceError('collectionNotFound');
  expect(readErrorBody(JSON.stringify(errorBody(error)))).toEqual({
    errorNum: 1203,
    errorMessage: error.message,
  });
  expect(readErrorBody('{"error":true,"errorNum":400}')).toEqual({
    errorNum: 400,
    errorMessage: '',
  });
});

test.each(['', '<html>', 'null', '{}', '[]', '{"error":false,"errorNum":1}', '{"error":true}'])(
  '%j is no error body',
  (text) => {
    expect(readErrorBody(text)).toBeUndefined();
  },
);

test.each([
  ['database not found', 'database not found (error 1228)'],
  ['', '(error 1228)'],
  [' no\r\nstart\u001b[31m \u2028\ud800tick\u0000', 'no start [31m tick (error 1228)'],
  ['x'.repeat(1000), `${'x'.repeat(200)}... (error 1228)`],
])('what another server says is one short line: %j', (errorMessage, line) => {
  expect(remoteErrorText({ errorNum: 1228, errorMessage })).toBe(line);
});
