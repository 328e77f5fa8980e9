import { crc32 } from 'node:zlib';
import { counted } from '../base/words.ts';
import type { Tick } from '../model/tick.ts';
import { ContentType, Header } from '../protocol/headers.ts';
import { type PageRequest, pageSeal } from '../protocol/page-seal.ts';
import { readTogether } from '../protocol/together.ts';
import { DamagedBody } from './classify.ts';
import { BadAnswer, headerTick } from './leader-answers.ts';
import type { HttpAnswer } from './leader-http.ts';

/** What log and dump pages have in common. */
export interface LeaderPage {
  /** Lines, each with its newline; empty when there are none. */
  readonly body: Buffer;
  /** Whether there is more behind the page. */
  readonly checkMore: boolean;
  /** Tick of the last line, 0 without one. */
  readonly lastIncluded: Tick;
  /** The run of a ticklog leader that wrote the page. */
  readonly incarnation?: string | undefined;
  /** A ticklog leader's checksum was there and right: the lines may be cut instead of parsed. */
  readonly verified: boolean;
}

/** A page of the log (contract 2.6). */
export interface LogPage extends LeaderPage {
  /** Last tick looked at, also when its line was left out. */
  readonly lastScanned?: Tick | undefined;
  /** Newest tick of the log. */
  readonly lastTick: Tick;
  /** Whether the logger runs, if the leader says. */
  readonly active: boolean | undefined;
  /** Whether the log reaches back to `from` without a gap, if the leader says. */
  readonly fromPresent: boolean | undefined;
  /** Commit time of the newest entry on the leader's clock, ms since 1970. */
  readonly committedAtMs?: number | undefined;
}

/** A page of a collection (contract 3.4). */
export interface DumpPage extends LeaderPage {
  /** From this tick on the removals in the dump are complete; only ticklog leaders tell. */
  readonly deletionsSince?: Tick | undefined;
}

/** Collections that came together, each whole. */
export interface CollectionsPage {
  /** By id; one that is not there has to be asked for by itself. */
  readonly pages: ReadonlyMap<string, DumpPage>;
  /** The run of the leader that wrote them. */
  readonly incarnation: string | undefined;
}

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

/** Takes apart what dump-collections answers. @throws as readLogPage, also for a body that has no checksum */
export function readCollectionsPage(answer: HttpAnswer, request: PageRequest): CollectionsPage {
  assertSealed(answer, request);
  const { body, incarnation, verified } = readPage(answer);
  const entries = verified ? readTogether(body) : undefined;
  if (!entries) throw new BadAnswer('it is no list of collections with their pages behind it');
  const pages = new Map<string, DumpPage>();
  for (const { collection, lines, lastIncluded, deletionsSince } of entries) {
    pages.set(collection, {
      body: lines,
      checkMore: false,
      incarnation,
      verified,
      lastIncluded: headerTick(Header.lastIncluded, lastIncluded),
      deletionsSince: headerTick(Header.deletionsSince, deletionsSince),
    });
  }
  return { pages, incarnation };
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
