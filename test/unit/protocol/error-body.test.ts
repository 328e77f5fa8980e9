import { expect, test } from 'vitest';
import { ServiceError } from '../../../src/model/errors.ts';
import { errorBody, readErrorBody } from '../../../src/protocol/error-body.ts';

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
