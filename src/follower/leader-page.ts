import { crc32 } from 'node:zlib';
import { counted } from '../base/words.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import { type PageRequest, pageSeal } from '../protocol/page-seal.ts';
import { DamagedBody } from './classify.ts';
import { BadAnswer, headerTick } from './leader-answers.ts';
import type { DumpPage, LeaderPage, LogPage } from './leader-client.ts';
import type { HttpAnswer } from './leader-http.ts';

const [DUMP_TYPE = ''] = ContentType.dump.split(';');

/**
 * Reads a page of the log with its headers (contract 2.6, 7.2).
 * @param request what it should be the answer to
 * @throws BadAnswer for a header that is missing or no tick; caused by a DamagedBody when the body
 *   fails its checksum
 */
export function readLogPage(answer: HttpAnswer, request: PageRequest): LogPage {
  assertSealed(answer, request);
  requiredHeader(answer, Header.lastIncluded);
  const scanned = textHeader(answer, Header.lastScanned);
  const active = textHeader(answer, Header.active);
  const fromPresent = textHeader(answer, Header.fromPresent);
  const committedAtMs = Number(textHeader(answer, Header.committedAt) ?? 0);
  return {
    lastScanned: scanned === undefined ? undefined : headerTick(Header.lastScanned, scanned),
    lastTick: headerTick(Header.lastTick, requiredHeader(answer, Header.lastTick)),
    active: active === undefined ? undefined : active === 'true',
    fromPresent: fromPresent === undefined ? undefined : fromPresent === 'true',
    committedAtMs: committedAtMs > 0 ? committedAtMs : undefined,
    ...readPage(answer),
  };
}

/** Reads a page of a collection with its headers (contract 3.4). @throws as readLogPage */
export function readDumpPage(answer: HttpAnswer, request: PageRequest): DumpPage {
  assertSealed(answer, request);
  const since = textHeader(answer, Header.deletionsSince);
  return {
    deletionsSince: since === undefined ? undefined : headerTick(Header.deletionsSince, since),
    ...readPage(answer),
  };
}

/**
 * A page of a ticklog leader must be the answer to what was asked, with the headers that it was sent with.
 * @throws BadAnswer caused by a DamagedBody
 */
function assertSealed(answer: HttpAnswer, request: PageRequest): void {
  const seal = textHeader(answer, Header.seal);
  const isOfOurKind = [
    seal,
    textHeader(answer, Header.crc32),
    textHeader(answer, Header.incarnation),
  ];
  if (isOfOurKind.every((value) => value === undefined)) return;
  if (seal === pageSeal(request, answer.headers)) return;
  const what =
    seal === undefined ? `it has no ${Header.seal}` : 'its headers do not fit their seal';
  throw new BadAnswer(`${what}, or it is the answer to another request`, {
    cause: new DamagedBody(what),
  });
}

/** The first value of a header. @throws BadAnswer without one */
export function requiredHeader(answer: HttpAnswer, name: string): string {
  const value = textHeader(answer, name);
  if (value === undefined) throw new BadAnswer(`required header ${name} is missing`);
  return value;
}

function readPage(answer: HttpAnswer): LeaderPage {
  const type = textHeader(answer, 'content-type');
  if (type !== undefined && !type.startsWith(DUMP_TYPE)) {
    // Something in between answers in the leader's place, with a page for people.
    const what = `it is of type ${type}, not ${DUMP_TYPE}`;
    throw new BadAnswer(what, { cause: new DamagedBody(what) });
  }
  const checkMore = requiredHeader(answer, Header.checkMore) === 'true';
  const included =
    checkMore || textHeader(answer, Header.lastIncluded) !== undefined
      ? headerTick(Header.lastIncluded, requiredHeader(answer, Header.lastIncluded))
      : 0n;
  return {
    body: answer.body,
    checkMore,
    lastIncluded: included,
    incarnation: textHeader(answer, Header.incarnation),
    verified: isVerified(answer),
  };
}

/**
 * Whether the body has a checksum, which is right.
 * @throws BadAnswer caused by a DamagedBody when it is wrong
 */
export function isVerified(answer: HttpAnswer): boolean {
  const sum = textHeader(answer, Header.crc32);
  if (sum === undefined) return false;
  if (Number(sum) === crc32(answer.body)) return true;
  const cause = new DamagedBody(
    `${counted(answer.body.length, 'byte')} with another CRC32 than ${sum}`,
  );
  throw new BadAnswer('the body fails its checksum', { cause });
}

function textHeader(answer: HttpAnswer, name: string): string | undefined {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
