import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Header } from '../protocol/headers.ts';

const ID = /^[\w.:-]{1,128}$/;

/** The id that a client has given its request; undefined without one, and for what is none. */
export function givenRequestId(headers: IncomingHttpHeaders): string | undefined {
  const given = headers[Header.requestId];
  return typeof given === 'string' && ID.test(given) ? given : undefined;
}

/** The id of a request for the log: the client's, or one of its own. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  return givenRequestId(headers) ?? randomUUID();
}
