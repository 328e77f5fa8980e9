import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderErrorsPage } from '../../../.config/errors-doc.mjs';
import { DOCUMENT_ERRORS } from '../../../src/model/document-errors.ts';
import { ERRORS, isServiceError, ServiceError, type ErrorName } from '../../../src/model/errors.ts';
import { GENERAL_ERRORS } from '../../../src/model/general-errors.ts';
import { REPLICATION_ERRORS } from '../../../src/model/replication-errors.ts';
import { USER_ERRORS } from '../../../src/model/user-errors.ts';

const names = Object.keys(ERRORS) as ErrorName[];

/** The names of all entries with this number. */
function namesOf(errorNum: number): ErrorName[] {
  return names.filter((name) => ERRORS[name].errorNum === errorNum);
}

test('no name stands in two of the tables, where one would hide the other', () => {
  const tables = [GENERAL_ERRORS, DOCUMENT_ERRORS, REPLICATION_ERRORS, USER_ERRORS];
  expect(tables.flatMap((table) => Object.keys(table)).toSorted()).toEqual(names.toSorted());
});

test('only the number of internal errors has several kinds', () => {
  const numbers = new Set(names.map((name) => ERRORS[name].errorNum));
  expect([...numbers].filter((errorNum) => namesOf(errorNum).length > 1)).toEqual([4]);
});

test.each(names)(
  '%s has a status, a default text without a full stop, a cause and a cure',
  (name) => {
    const { httpStatus, message, cause, cure } = ERRORS[name];
    expect(httpStatus).toBeGreaterThanOrEqual(400);
    expect(httpStatus).toBeLessThan(600);
    expect(message).toMatch(/^[^A-Z].*[^.]$/);
    expect(cause).toMatch(/^[A-Z].*\.$/);
    expect(cure).toMatch(/^[A-Z].*\.$/);
  },
);

test.each([
  ['badParameter', 10, 400, 'bad parameter'],
  ['forbidden', 11, 403, 'forbidden'],
  ['httpBadParameter', 400, 400, 'bad parameter'],
  ['notFound', 404, 404, 'not found'],
  ['methodNotSupported', 405, 405, 'method not supported'],
  ['invalidJson', 600, 400, 'invalid JSON object'],
  ['superfluousSuffices', 601, 400, 'superfluous URL suffices'],
  ['readOnly', 1004, 403, 'read only'],
  ['conflict', 1200, 412, 'conflict'],
  ['documentNotFound', 1202, 404, 'document not found'],
  ['collectionNotFound', 1203, 404, 'collection not found'],
  ['collectionParameterMissing', 1204, 400, "parameter 'collection' not found"],
  ['duplicateName', 1207, 409, 'duplicate name'],
  ['uniqueConstraintViolated', 1210, 409, 'unique constraint violated'],
  ['databaseNotFound', 1228, 404, 'database not found'],
  ['noResponse', 1400, 500, 'no response'],
  ['invalidLoggerConfiguration', 1409, 400, 'invalid replication logger configuration'],
  ['invalidApplierConfiguration', 1410, 400, 'invalid replication applier configuration'],
  ['applierRunning', 1411, 400, 'cannot change applier configuration while running'],
  ['noStartTick', 1413, 500, 'no start tick'],
  ['startTickNotPresent', 1414, 500, 'start tick not present'],
  ['cursorNotFound', 1600, 404, 'cursor not found'],
] as const)(
  '%s keeps what the contract says: %i, %i, %s',
  (name, errorNum, httpStatus, message) => {
    expect(ERRORS[name]).toMatchObject({ errorNum, httpStatus, message });
  },
);

test('the whole range of the applier is there', () => {
  const range = Array.from({ length: 15 }, (_, index) => 1400 + index);
  expect(range.filter((errorNum) => namesOf(errorNum).length !== 1)).toEqual([]);
});

test('a ServiceError takes number, status and text from the table', () => {
  expect(new ServiceError('collectionNotFound')).toMatchObject({
    name: 'ServiceError',
    kind: 'collectionNotFound',
    errorNum: 1203,
    httpStatus: 404,
    message: 'collection not found',
    fields: {},
  });
});

test('a ServiceError puts the detail, the status, the fields and the cause it is given in place', () => {
  const cause = new Error('disk full');
  const error = new ServiceError('conflict', 'precondition failed', {
    cause,
    httpStatus: 409,
    fields: { _rev: '17' },
  });
  expect(error).toMatchObject({ message: 'precondition failed', httpStatus: 409, errorNum: 1200 });
  expect(error.fields).toEqual({ _rev: '17' });
  expect(error.cause).toBe(cause);
});

test('a ServiceError without a cause has none, not an undefined one', () => {
  expect('cause' in new ServiceError('internal')).toBe(false);
});

test('isServiceError tells kinds apart, also those that share a number', () => {
  const error: unknown = new ServiceError('storageDamaged');
  expect(isServiceError(error)).toBe(true);
  expect(isServiceError(error, 'storageDamaged')).toBe(true);
  expect(isServiceError(error, 'internal')).toBe(false);
  expect(isServiceError(new Error('the stored data is damaged'))).toBe(false);
  expect(isServiceError(undefined)).toBe(false);
});

test('docs/errors.md is what `npm run docs:errors` would write now', () => {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  expect(page).toBe(renderErrorsPage(ERRORS));
});

test('the page about errors lists each number once, in order, and every cause and cure', () => {
  const page = renderErrorsPage(ERRORS);
  const numbers = [...page.matchAll(/^## (\d+) /gm)].map(([, digits]) => Number(digits));
  const known = new Set(names.map((name) => ERRORS[name].errorNum));
  expect(numbers).toEqual([...known].toSorted((left, right) => left - right));
  for (const name of names) {
    const { httpStatus, cause, cure } = ERRORS[name];
    expect(page).toContain(
      `\n\`${name}\`, HTTP ${httpStatus}. ${cause}\n\n**What to do:** ${cure}\n`,
    );
  }
});
