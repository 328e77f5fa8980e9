import { SYNC_FAILED, splitMessage } from '../model/error-words.ts';
import { cureOf } from './api.ts';
import { byId, make, setList, setShown, setText } from './dom.ts';
import { clock, counted, indented, number } from './format.ts';
import type { ApplierStatus, ErrorWords, PastError } from './types.ts';

type Applier = ApplierStatus['state'];

/** What is wrong with following, and what was before: the last errors, the newest first. */
export function showErrors(applier: ApplierStatus): void {
  const { state } = applier;
  const hasFailure = showFailure(applier);
  const hasIgnored = showIgnored(state);
  // The one that stopped it stands above the list.
  const errors = state.phase === 'failed' ? state.lastErrors.slice(1) : state.lastErrors;
  setShown(byId('errors'), hasFailure || hasIgnored || errors.length > 0);
  setShown(byId('errors-box'), errors.length > 0);
  setText(byId('errors-note'), errors.length < 2 ? '' : `${number(errors.length)}, newest first`);
  setList(byId('errors-rows'), errors, {
    // What is counted on stays the same one, also when somebody has opened it.
    keyOf: ({ errorNum, tick = '', time, firstTime = time }) => `${errorNum}:${tick}:${firstTime}`,
    create: errorRow,
    update: updateErrorRow,
  });
}

function errorRow(error: PastError): HTMLElement {
  const { text, entry } = splitMessage(error.errorMessage);
  const subject = make('span', 'subject', text);
  const summary = make('summary', '', make('span', ''), make('span', ''), subject);
  const cure = make('p', 'cure');
  const row = make('details', '', summary, make('p', 'quiet'), cure);
  void cureOf(error, 'applier').then((words) => setText(cure, words));
  if (entry !== undefined) {
    const shown = make('pre', '', indented(entry));
    shown.tabIndex = 0;
    row.append(shown);
  }
  updateErrorRow(row, error);
  return row;
}

function updateErrorRow(row: HTMLElement, error: PastError): void {
  const { time, firstTime, errorNum, count = 1, tick, ignored = false } = error;
  const [summary, more] = row.children;
  const [when, what] = summary?.children ?? [];
  if (!when || !what || !more) return;
  setText(when, clock(time));
  const name = ignored ? 'passed over, error' : 'error';
  setText(what, `${name} ${errorNum}${count === 1 ? '' : ` × ${number(count)}`}`);
  const facts = [
    ...(ignored ? ['Passed over: the follower lacks this change, and goes on.'] : []),
    ...(tick === undefined ? [] : [`At tick ${tick}.`]),
    ...(firstTime === undefined
      ? []
      : [`${number(count)} times, from ${clock(firstTime)} to ${clock(time)}.`]),
  ];
  setText(more, facts.join(' '));
}

/** Why the applier does not follow, unless somebody wants it so, or has no leader yet. What is over is among the last errors. */
function showFailure(applier: ApplierStatus): boolean {
  const failure = failureOf(applier);
  setShown(byId('failure'), failure !== undefined);
  if (!failure) return false;
  const { title, error, time } = failure;
  setText(byId('failure-title'), `${title} (error ${error.errorNum}, ${clock(time)})`);
  byId('failure').classList.toggle('mild', applier.state.phase !== 'failed');
  showMessage('failure', error.errorMessage);
  void cureOf(error, 'applier').then((cure) => setText(byId('failure-cure'), cure));
  return true;
}

interface Failure {
  readonly title: string;
  readonly error: ErrorWords;
  readonly time: string;
}

function failureOf({ state, endpoint }: ApplierStatus): Failure | undefined {
  const { phase, since: time, whyStopped, whyWaiting, lastErrors } = state;
  if (phase === 'failed' && whyStopped) return { title: 'Why it stopped', error: whyStopped, time };
  if (phase === 'backoff' && whyWaiting) return { title: 'Why it waits', error: whyWaiting, time };
  const [newest] = lastErrors;
  if (phase !== 'stopped' || !newest) return undefined;
  // Without a leader it is about making a follower.
  const isOpen = endpoint === undefined || newest.errorMessage.startsWith(SYNC_FAILED);
  return isOpen ? { title: 'The last error', error: newest, time: newest.time } : undefined;
}

function showIgnored({ totalIgnoredErrors: total, lastIgnoredError: last }: Applier): boolean {
  setShown(byId('ignored'), last !== undefined);
  if (!last) return false;
  const words = `${counted(total, 'error')} passed over, the last at tick ${last.tick}`;
  setText(byId('ignored-title'), `${words} (error ${last.errorNum})`);
  showMessage('ignored', last.errorMessage);
  return true;
}

/** A message, and behind it what is to be opened to be read: the entry that it is about. */
function showMessage(place: 'failure' | 'ignored', message: string): void {
  const { text, entry } = splitMessage(message);
  setText(byId(`${place}-text`), text);
  setShown(byId(`${place}-entry`), entry !== undefined);
  setText(byId(`${place}-entry-text`), entry === undefined ? '' : indented(entry));
}
