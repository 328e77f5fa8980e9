import { SYNC_FAILED } from '../model/error-words.ts';
import { ERRORS, applierCureOf } from '../model/errors.ts';
import { at, listAt, numberAt, textAt } from './json.ts';
import { counted } from '../base/words.ts';

/** Something that is wrong, or was. */
export interface ProblemReport {
  readonly what:
    'writes refused' | 'damage' | 'stopped' | 'waiting' | 'last error' | 'earlier' | 'passed over';
  readonly message: string;
  readonly errorNum: number | null;
  /** How often it was met; null for once, and where that is not counted. */
  readonly count: number | null;
  readonly since: string | null;
  readonly cure: string | null;
}

/** Somebody has stopped it: no error. */
export const STOPPED = ERRORS.applierStopped.errorNum;
/** Errors that are over. */
const EARLIER_SHOWN = 3;

/** What a logger-state says of the store. */
export function storageProblems(logger: unknown): ProblemReport[] {
  const refused = at(logger, 'state', 'storage', 'writesRefused');
  const damage = at(logger, 'state', 'storage', 'damage');
  return [
    ...(refused === undefined
      ? []
      : [problem('writes refused', textAt(refused, 'message'), numberAt(refused, 'errorNum'))]),
    ...(damage === undefined
      ? []
      : [
          {
            ...problem('damage', damageText(damage), undefined),
            since: textAt(damage, 'since') ?? null,
          },
        ]),
  ];
}

function damageText(damage: unknown): string {
  const count = counted(numberAt(damage, 'count') ?? 0, 'time');
  return `met ${count}, last: ${textAt(damage, 'message') ?? ''}`;
}

/** Of these the first that there is. */
const REASONS = [
  ['whyStopped', 'stopped'],
  ['whyWaiting', 'waiting'],
  ['lastError', 'last error'],
] as const;

/** What an applier-state says that is wrong with following, or was. */
export function applierProblems(applier: unknown): ProblemReport[] {
  const problems: ProblemReport[] = [];
  for (const [member, what] of REASONS) {
    const reason = at(applier, 'state', member);
    const errorNum = numberAt(reason, 'errorNum') ?? 0;
    if (errorNum === 0 || errorNum === STOPPED) continue;
    const since = textAt(applier, 'state', 'lastError', 'time') ?? null;
    problems.push({ ...problem(what, textAt(reason, 'errorMessage'), errorNum), since });
    break;
  }
  problems.push(...earlierProblems(applier, problems[0]));
  const [newest] = problems;
  // A copy that failed leaves no reason in the state, but is what holds things up until somebody does more.
  const isFailedSync = newest?.what === 'earlier' && newest.message.startsWith(SYNC_FAILED);
  if (isFailedSync && textAt(applier, 'state', 'phase') === 'stopped') {
    const cure = applierCureOf(newest.errorNum ?? undefined, newest.message) ?? null;
    problems[0] = { ...newest, what: 'last error', cure };
  }
  const ignored = at(applier, 'state', 'lastIgnoredError');
  if (ignored === undefined) return problems;
  const count = numberAt(applier, 'state', 'totalIgnoredErrors') ?? 1;
  const tick = textAt(ignored, 'tick') ?? '?';
  const words = `${count} in all, the last at tick ${tick}: ${textAt(ignored, 'errorMessage') ?? ''}`;
  return [...problems, problem('passed over', words, numberAt(ignored, 'errorNum'))];
}

/** The last errors besides those that are shown anyway: the newest, and what was passed over last. */
function earlierProblems(applier: unknown, shown: ProblemReport | undefined): ProblemReport[] {
  const passedOver = textAt(applier, 'state', 'lastIgnoredError', 'tick');
  const errors = listAt(applier, 'state', 'lastErrors').filter((error) => {
    const isPassedOver = at(error, 'ignored') === true && textAt(error, 'tick') === passedOver;
    return numberAt(error, 'errorNum') !== STOPPED && !isPassedOver;
  });
  const newest = errors.find((error) => at(error, 'ignored') !== true);
  const isShown = shown !== undefined && numberAt(newest, 'errorNum') === shown.errorNum;
  const earlier = isShown ? errors.filter((error) => error !== newest) : errors;
  return earlier.slice(0, EARLIER_SHOWN).map((error) => {
    const count = numberAt(error, 'count') ?? 1;
    return {
      what: at(error, 'ignored') === true ? 'passed over' : 'earlier',
      message: textAt(error, 'errorMessage') ?? '',
      errorNum: numberAt(error, 'errorNum') ?? null,
      count: count === 1 ? null : count,
      since: textAt(error, 'time') ?? null,
      cure: null,
    };
  });
}

function problem(
  what: ProblemReport['what'],
  message: string | undefined,
  errorNum: number | undefined,
): ProblemReport {
  return {
    what,
    message: message ?? '',
    errorNum: errorNum ?? null,
    count: null,
    since: null,
    cure: applierCureOf(errorNum, message ?? '') ?? null,
  };
}
