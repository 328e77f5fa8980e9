import { expect } from 'vitest';
import type { Answer } from '../support/http-server.ts';

/** Checks an error answer: status, number, and that the body has all that contract 1.3 wants. */
export function expectError(answer: Answer, status: number, errorNum: number): void {
  expect({ status: answer.status, body: answer.json }).toMatchObject({
    status,
    body: {
      error: true,
      code: status,
      errorNum,
      errorMessage: expect.stringMatching(/./) as string,
    },
  });
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.text)));
}
