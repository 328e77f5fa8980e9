import { splitMessage } from '../model/error-words.ts';
import type { SyncNumbers } from '../model/sync-numbers.ts';
import type { VerifyNumbers } from '../model/verify-numbers.ts';
import type { WorkNumbers } from '../model/work-numbers.ts';
import { type WriteRate, spanWords } from '../model/write-rate.ts';
import { clock, counted, duration, number, rate, rounded, secondsBetween } from './format.ts';
import type { ApplierStatus, ClientStatus, LogLine, LoggerStatus, WorkProgress } from './types.ts';

/** How good or bad a state is. */
export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'idle';

/** A state in words: what it is, and what more there is to say. */
export interface Words {
  readonly tone: Tone;
  readonly text: string;
  readonly more: string;
}

/** A follower that is further behind than this is worth a look. */
const WARN_SECONDS = 10;

/** What the whole comes to: the worst first, then what is going on. */
export function headline(logger: LoggerStatus, applier: ApplierStatus): Words {
  const { storage } = logger.state;
  if (storage?.writesRefused) {
    return { tone: 'bad', text: 'Writes are refused', more: storage.writesRefused.message };
  }
  const applying = applierWords(applier);
  const unfinished = applier.state.running ? undefined : unfinishedWords(applier);
  if (unfinished) return unfinished;
  if (applying && applying.tone !== 'ok') return applying;
  if (storage?.damage) {
    const { count, message } = storage.damage;
    return {
      tone: 'bad',
      text: 'Stored data is damaged',
      more: `${message} (met ${times(count)})`,
    };
  }
  if (!logger.state.running && !applying) {
    const more = 'Changes are not logged, and reach no follower.';
    return { tone: 'warn', text: 'The logger is stopped', more };
  }
  if (applying) return applying;
  const lost = logger.clients.filter((each) => each.lost).length;
  if (lost > 0) {
    const more = 'What it would read next is gone from the log: it must copy anew.';
    return { tone: 'warn', text: `${counted(lost, 'follower')} lost the place`, more };
  }
  const followers = logger.clients.length;
  if (followers > 0) {
    return { tone: 'ok', text: `Leading ${counted(followers, 'follower')}`, more: '' };
  }
  return {
    tone: 'ok',
    text: 'On its own',
    more: 'It follows no other server, and none follows it.',
  };
}

/** What a copy that was not finished has left; undefined where there is none. */
function unfinishedWords({ state: { unfinishedSync } }: ApplierStatus): Words | undefined {
  if (!unfinishedSync) return undefined;
  const { leaderId, collectionsDone, collectionsExpected } = unfinishedSync;
  const done = `${number(collectionsDone)} of ${counted(collectionsExpected, 'collection')}`;
  const more =
    `Of server ${leaderId} ${done} are complete; what is here is as it was before. ` +
    'Sync or Make follower goes on with it.';
  return { tone: 'bad', text: 'A copy was not finished', more };
}

/** What the applier is doing; undefined where none is set up and no sync runs. */
export function applierWords({ state, endpoint = '' }: ApplierStatus): Words | undefined {
  const { phase } = state;
  if (endpoint === '' && phase !== 'syncing') return undefined;
  const why = (state.whyStopped ?? state.whyWaiting)?.errorMessage ?? '';
  switch (phase) {
    case 'failed':
      return { tone: 'bad', text: 'Stopped by an error', more: withoutEntry(why) };
    case 'stopped':
      return { tone: 'warn', text: 'Not following', more: 'The applier is stopped.' };
    case 'stopping':
      return { tone: 'busy', text: 'Stopping', more: 'What was begun is still being stored.' };
    case 'starting':
      return { tone: 'busy', text: 'Starting to follow', more: state.progress.message ?? '' };
    case 'backoff':
      return { tone: 'warn', text: 'The leader cannot be reached', more: withoutEntry(why) };
    case 'syncing':
      return { tone: 'busy', text: copyingWords(state.sync), more: syncWords(state.sync) };
    case 'tailing':
      return followingWords(state, endpoint);
  }
}

/** What was passed over is missing here, however near the end of the log is: that is never all right. */
function followingWords(state: ApplierStatus['state'], endpoint: string): Words {
  const { totalIgnoredErrors: passedOver } = state;
  const words = paceOf(state, endpoint);
  if (passedOver === 0) return words;
  const lacks = passedOverWords(passedOver);
  if (words.tone !== 'warn') return { tone: 'warn', text: lacks, more: LACKS_MORE };
  return { ...words, more: [words.more, `${lacks}: ${LACKS_MORE}`].join(' ').trim() };
}

const LACKS_MORE = 'This follower lacks these changes of the leader; verify shows what differs.';

function passedOverWords(count: number): string {
  return count === 1 ? '1 entry was passed over' : `${number(count)} entries were passed over`;
}

function paceOf(state: ApplierStatus['state'], endpoint: string): Words {
  const { ticksBehind = null, secondsBehind = null } = state;
  if (ticksBehind === null) {
    const more = 'How far behind it is cannot be known until the leader answers.';
    return { tone: 'busy', text: 'Following', more };
  }
  if (ticksBehind === 0) {
    const more = `Every change of ${endpoint} is here.`;
    return { tone: 'ok', text: 'In step with the leader', more };
  }
  const seconds = secondsBehind ?? 0;
  const isFar = seconds > WARN_SECONDS;
  const left = state.following?.secondsLeft ?? null;
  return {
    tone: isFar ? 'warn' : 'ok',
    text: isFar ? 'Behind the leader' : 'Following closely',
    more: isFar && left !== null ? `At this pace in step in ${duration(left)}.` : '',
  };
}

const SYNC_STEPS: Readonly<Record<SyncNumbers['phase'], string>> = {
  preparing: 'Finding out what there is to copy.',
  comparing: 'Comparing what is here with what the leader has.',
  copying: 'What is here stays readable until the copy is complete.',
  indexing: 'Building indexes.',
  switching: 'Putting the copy in place.',
};

/** Whom a sync copies may be another than whom the applier follows. */
function copyingWords(sync: SyncNumbers | undefined): string {
  const endpoint = sync?.endpoint ?? undefined;
  return endpoint === undefined ? 'Copying from the leader' : `Copying from ${endpoint}`;
}

function syncWords(sync: SyncNumbers | undefined): string {
  return sync ? SYNC_STEPS[sync.phase] : SYNC_STEPS.copying;
}

/** How far a comparison is: the collection in work, where it is read, how much of all is done, and how long it takes. */
export function verifyWords(verify: VerifyNumbers): string {
  const { phase, collection, collectionsDone, collectionsExpected } = verify;
  if (collectionsExpected === 0) return '';
  const all =
    `${number(collectionsDone)} of ${counted(collectionsExpected, 'collection')} and ` +
    `${number(verify.documentsDone)} of ${counted(verify.documentsExpected, 'document')} ` +
    `compared${paceWords(verify)}`;
  if (!collection) return `${all}.`;
  const { name, side, documentsDone, documentsExpected } = collection;
  const where = side === 'leader' ? 'on the leader' : 'here';
  const again = phase === 'rechecking' ? ' again, as it differed' : '';
  if (documentsDone === null || documentsExpected === null)
    return `${name} is read ${where}${again}; ${all}.`;
  const documents = `${number(documentsDone)} of ${counted(documentsExpected, 'document')}`;
  return `${name}: ${documents} read ${where}${again}; ${all}.`;
}

/** `, 1,200/s, about 2 min left`: what is known of it. */
export function paceWords({
  documentsPerSecond,
  secondsLeft,
}: Pick<WorkNumbers, 'documentsPerSecond' | 'secondsLeft'>): string {
  if (documentsPerSecond === 0) return '';
  const rate = `, ${rounded(documentsPerSecond)}/s`;
  return secondsLeft === null ? rate : `${rate}, about ${duration(secondsLeft)} left`;
}

/** What goes over a collection. */
export function workWords({ kind, collection: { name }, index }: WorkProgress): string {
  if (kind === 'checksum') return `Checksum of ${name}`;
  if (kind === 'count') return `Count of ${name}`;
  if (kind === 'search') return `Search of ${name} for what differs`;
  const fields = index?.fields ? ` on ${index.fields.map(String).join(', ')}` : '';
  return `Index of ${name}${index ? ` (${index.type}${fields})` : ''}`;
}

/** Since when something is as it is: the time, and for how long that is now, by the server's clock. */
export function sinceWords(since: string, now: string): string {
  return `${clock(since)}, for ${duration(secondsBetween(since, now))}`;
}

/** How fast the log grows, and over which time that is so. */
export function writtenWords({ perSecond, seconds }: WriteRate): string {
  const span = spanWords(seconds);
  return perSecond === 0 ? `nothing ${span}` : `${rate(perSecond)} ${span}`;
}

/** How far behind the leader, in all that is known. */
export function lagWords({ ticksBehind, secondsBehind }: ApplierStatus['state']): string {
  if (ticksBehind === undefined) return 'not following';
  if (ticksBehind === null) return 'unknown while the leader does not answer';
  if (ticksBehind === 0) return 'none';
  const seconds =
    secondsBehind === undefined || secondsBehind === null ? '' : duration(secondsBehind);
  const ticks = counted(ticksBehind, 'tick');
  return seconds === '' ? ticks : `${seconds}, ${ticks}`;
}

/**
 * Where the leader's log ends; null when that is not known. A copy is as of a tick, which the leader may have given to
 * something that is not in its log: up to there everything is here.
 */
export function logEndOf(state: ApplierStatus['state']): string | null {
  const { phase, lastAppliedContinuousTick: applied, lastAvailableContinuousTick: end } = state;
  if (end === null || applied === null || phase === 'failed') return end;
  return BigInt(applied) > BigInt(end) ? applied : end;
}

/** Where a client of the log is: what it was sent, or what it asked from when that was nothing new. */
export function positionOf({ lastServedTick, from }: ClientStatus): bigint {
  const served = BigInt(lastServedTick);
  const asked = BigInt(from);
  return served > asked ? served : asked;
}

function withoutEntry(message: string): string {
  return splitMessage(message).text;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${number(count)} times`;
}

const ENTRY_WORDS: Readonly<Record<number, string>> = {
  1000: 'logger stopped',
  1001: 'logger started',
  2000: 'collection created',
  2001: 'collection dropped',
  2002: 'collection renamed',
  2003: 'collection changed',
  2004: 'collection emptied',
  2100: 'index created',
  2101: 'index dropped',
  2200: 'transaction begins',
  2201: 'transaction ends',
  2300: 'document',
  2301: 'edge',
  2302: 'removed',
};

/** What an entry of the log says happened. */
export function entryWords({ type, oldRev }: LogLine): string {
  const words = ENTRY_WORDS[type] ?? `entry of type ${type}`;
  if (type !== 2300 && type !== 2301) return words;
  return `${words} ${oldRev === undefined ? 'inserted' : 'updated'}`;
}

/** What it happened to. */
export function entrySubject(line: LogLine): string {
  const { cname = '', key, collection, index, collections, id } = line;
  if (key !== undefined) return `${cname}/${key}`;
  if (index?.fields) return `${cname} (${index.type ?? ''} on ${index.fields.join(', ')})`;
  if (line.type === 2101 && id !== undefined) return `${cname} (index ${id})`;
  if (line.type === 2002) return `${cname} to ${collection?.name ?? ''}`;
  if (collections) {
    return collections.map((each) => `${each.name} (${number(each.operations)})`).join(', ');
  }
  return cname;
}
