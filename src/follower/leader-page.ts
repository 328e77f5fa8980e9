import { crc32 } from 'node:zlib';
import { ContentType, Header } from '../protocol/headers.ts';
import { DamagedBody } from './classify.ts';
import { BadAnswer, headerTick } from './leader-answers.ts';
import type { DumpPage, LeaderPage, LogPage } from './leader-client.ts';
import type { HttpAnswer } from './leader-http.ts';

const [DUMP_TYPE = ''] = ContentType.dump.split(';');

/**
 * Reads a page of the log with its headers (contract 2.6, 7.2).
 * @throws BadAnswer for a header that is missing or no tick; caused by a DamagedBody when the body
 *   fails its checksum
 */
export function readLogPage(answer: HttpAnswer): LogPage {
  requiredHeader(answer, Header.lastIncluded);
  const scanned = textHeader(answer, Header.lastScanned);
  const active = textHeader(answer, Header.active);
  const fromPresent = textHeader(answer, Header.fromPresent);
  const committedAtMs = Number(textHeader(answer, Header.committedAt) ?? 0);
  return {
    ...readPage(answer),
    ...(scanned === undefined ? {} : { lastScanned: headerTick(Header.lastScanned, scanned) }),
    lastTick: headerTick(Header.lastTick, requiredHeader(answer, Header.lastTick)),
    active: active === undefined ? undefined : active === 'true',
    fromPresent: fromPresent === undefined ? undefined : fromPresent === 'true',
    ...(committedAtMs > 0 ? { committedAtMs } : {}),
  };
}

/** Reads a page of a collection with its headers (contract 3.4). @throws as readLogPage */
export function readDumpPage(answer: HttpAnswer): DumpPage {
  const since = textHeader(answer, Header.deletionsSince);
  return {
    ...readPage(answer),
    ...(since === undefined ? {} : { deletionsSince: headerTick(Header.deletionsSince, since) }),
  };
}

/** The first value of a header. @throws BadAnswer without one */
export function requiredHeader(answer: HttpAnswer, name: string): string {
  const value = textHeader(answer, name);
  if (value === undefined) throw new BadAnswer(`required header ${name} is missing`);
  return value;
}

function readPage(answer: HttpAnswer): LeaderPage {
  const type = textHeader(answer, 'content-type');
  // Something in between may answer in the leader's place, with a page for people.
  if (type !== undefined && !type.startsWith(DUMP_TYPE)) {
    throw new BadAnswer(`it is of type ${type}, not ${DUMP_TYPE}`);
  }
  const checkMore = requiredHeader(answer, Header.checkMore) === 'true';
  const included =
    checkMore || textHeader(answer, Header.lastIncluded) !== undefined
      ? headerTick(Header.lastIncluded, requiredHeader(answer, Header.lastIncluded))
      : 0n;
  const incarnation = textHeader(answer, Header.incarnation);
  return {
    body: answer.body,
    checkMore,
    lastIncluded: included,
    ...(incarnation === undefined ? {} : { incarnation }),
    verified: isVerified(answer),
  };
}

function isVerified(answer: HttpAnswer): boolean {
  const sum = textHeader(answer, Header.crc32);
  if (sum === undefined) return false;
  if (Number(sum) === crc32(answer.body)) return true;
  const cause = new DamagedBody(`${answer.body.length} bytes do not have the CRC32 ${sum}`);
  throw new BadAnswer('the body fails its checksum', { cause });
}

function textHeader(answer: HttpAnswer, name: string): string | undefined {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
