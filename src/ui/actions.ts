import { splitMessage } from '../model/error-words.ts';
import { LoginNeeded, Refused, cureOf, get, put, send } from './api.ts';
import { askForLeader, confirmed } from './dialogs.ts';
import { byId, setRows, setShown, setText } from './dom.ts';
import { counted, number } from './format.ts';
import type { JobProgress, Snapshot } from './types.ts';
import { verifyWords } from './words.ts';

/** What the buttons need to know. */
export interface ActionsDeps {
  /** The database that is looked at. */
  readonly database: () => string;
  /** As last seen; undefined before the first answer. */
  readonly seen: () => Snapshot | undefined;
  /** Has the page ask for everything at once. */
  readonly refresh: () => void;
  /** Called when it turns out that nobody is logged in. */
  readonly onLoginNeeded: (error: LoginNeeded) => void;
}

/** What a comparison found. */
interface Verified {
  readonly equal: boolean;
  readonly collections: readonly {
    readonly name: string;
    readonly result: string;
    readonly count: number | null;
    readonly leaderCount: number | null;
  }[];
}

const REPLICATION = '/_api/replication';
const JOB_PAUSE_MS = 700;
const NOT_FOUND = 404;

/** Answers to requests that take long are fetched when they are there, also after the page was loaded anew. */
const JOB = 'ticklog.job';

interface Job {
  readonly id: string;
  readonly database: string;
  readonly verb: LongVerb;
}

type LongVerb = 'sync' | 'make-follower' | 'verify';

const DOING: Readonly<Record<LongVerb, string>> = {
  sync: 'Copying from the leader …',
  'make-follower': 'Making this database a follower …',
  verify: 'Comparing every document with the leader …',
};

/** The buttons: what they ask before, and what they say behind. */
export class Actions {
  readonly #deps: ActionsDeps;
  #isBusy = false;

  constructor(deps: ActionsDeps) {
    this.#deps = deps;
    this.#on('do-start', () => this.#short('applier-start', 'Following is started.'));
    this.#on('do-stop', () => this.#short('applier-stop', 'Following is stopped.'));
    this.#on('do-log-start', () => this.#short('logger-start', 'The logger is started.'));
    this.#on('do-log-stop', () => this.#stopLogging());
    this.#on('do-verify', () => this.#long('verify', {}));
    this.#on('do-sync', () => this.#copy('sync'));
    this.#on('do-follow', () => this.#copy('make-follower'));
  }

  /** Goes on waiting for what was begun before the page was loaded. */
  async resume(): Promise<void> {
    const kept = sessionStorage.getItem(JOB);
    if (kept === null || this.#isBusy) return;
    await this.#guarded(async () => {
      try {
        await this.#await(JSON.parse(kept) as Job);
      } catch (error) {
        // The server was started anew since, and knows nothing of it.
        if (!(error instanceof Refused) || error.status !== NOT_FOUND) throw error;
        sayNothing();
      }
    });
  }

  /** Lets only those buttons be pressed that do something now. */
  show({ applier, logger, overview }: Snapshot): void {
    const { state, endpoint } = applier;
    const isSyncing = state.phase === 'syncing';
    const canBe: Readonly<Record<string, boolean>> = {
      'do-start': endpoint !== undefined && !state.running && !isSyncing,
      'do-stop': state.running || isSyncing,
      'do-verify': endpoint !== undefined && !isSyncing && !this.#isBusy,
      'do-sync': !state.running && !isSyncing && !this.#isBusy,
      'do-follow': !isSyncing && !this.#isBusy,
      'do-log-start': !logger.state.running,
      'do-log-stop': logger.state.running,
    };
    for (const [id, can] of Object.entries(canBe)) {
      const button = byId(id, HTMLButtonElement);
      button.disabled = !can || !overview.mayWrite;
      button.title = overview.mayWrite ? '' : 'You may look at this database, but not change it.';
    }
    for (const id of ['do-start', 'do-stop', 'do-verify']) {
      setShown(byId(id), endpoint !== undefined || isSyncing);
    }
    setShown(byId('do-log-start'), !logger.state.running);
    setShown(byId('do-log-stop'), logger.state.running);
  }

  #on(id: string, act: () => Promise<void>): void {
    byId(id, HTMLButtonElement).addEventListener('click', () => void this.#guarded(act));
  }

  async #guarded(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (error instanceof LoginNeeded) this.#deps.onLoginNeeded(error);
      else if (error instanceof Refused) {
        const cure = await cureOf(
          { errorNum: error.errorNum, errorMessage: error.message },
          'caller',
        );
        say('bad', `${splitMessage(error.message).text}${cure === '' ? '' : ` – ${cure}`}`);
      } else say('bad', error instanceof Error ? error.message : String(error));
    } finally {
      this.#isBusy = false;
      this.#deps.refresh();
    }
  }

  async #short(command: string, done: string): Promise<void> {
    await put(this.#deps.database(), `${REPLICATION}/${command}`);
    say('ok', done);
  }

  async #stopLogging(): Promise<void> {
    const followers = this.#deps.seen()?.logger.clients.length ?? 0;
    const isSure = await confirmed({
      title: 'Stop logging?',
      text:
        'What is changed while the logger is stopped reaches no follower' +
        `${followers === 0 ? '' : ` (${counted(followers, 'server')} of this log)`}: ` +
        'once something was changed, they must copy everything anew.',
      go: 'Stop logging',
    });
    if (isSure) await this.#short('logger-stop', 'The logger is stopped.');
  }

  async #copy(verb: 'sync' | 'make-follower'): Promise<void> {
    const database = this.#deps.database();
    const { endpoint = '', database: there = database } = this.#deps.seen()?.applier ?? {};
    const config = await get<{ username?: string }>(database, `${REPLICATION}/applier-config`);
    const here = `database ‘${database}’ on this server`;
    const wanted = await askForLeader(
      {
        title: verb === 'sync' ? 'Copy from a leader once' : 'Make this database a follower',
        text:
          `Collections of ${here} that the leader has, too, are replaced by its own when the copy is ` +
          'complete; until then what is here stays readable. ' +
          (verb === 'sync'
            ? 'Nothing is followed afterwards.'
            : 'Then every change there is followed, also after a restart, and clients cannot write what is followed.'),
        sure: `Replace what is in ${here}`,
        go: verb === 'sync' ? 'Replace and copy' : 'Replace and follow',
      },
      { endpoint, database: there, username: config.username ?? '' },
    );
    if (!wanted) return;
    const { username, password, ...place } = wanted;
    await this.#long(verb, { ...place, ...(username === '' ? {} : { username, password }) });
  }

  /** Sends what takes long as a request that nobody waits for, and waits for its answer. */
  async #long(verb: LongVerb, body: unknown): Promise<void> {
    const database = this.#deps.database();
    const response = await send('PUT', database, `${REPLICATION}/${verb}`, {
      body,
      headers: { 'x-arango-async': 'store' },
    });
    const id = response.headers.get('x-arango-async-id') ?? '';
    await this.#await({ id, database, verb });
  }

  async #await(job: Job): Promise<void> {
    const { verb } = job;
    this.#isBusy = true;
    sessionStorage.setItem(JOB, JSON.stringify(job));
    say('busy', DOING[verb]);
    this.#deps.refresh();
    for (;;) {
      if (verb === 'verify') await this.#showVerifying(job);
      const response = await this.#answerOf(job);
      if (response && response.status !== 204) {
        sessionStorage.removeItem(JOB);
        finished(verb, await response.json());
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, JOB_PAUSE_MS));
    }
  }

  /** Says how far a comparison is, where that can be asked. */
  async #showVerifying({ id, database }: Job): Promise<void> {
    try {
      const { verify } = await get<JobProgress>(database, `/_api/job/${id}/progress`);
      if (verify) say('busy', `${DOING.verify} ${verifyWords(verify)}`);
    } catch {
      // Whoever asks for the answer next is told what is wrong.
    }
  }

  /** What there is of an answer; undefined while the server cannot be reached, which the page tells elsewhere. */
  async #answerOf({ id, database }: Job): Promise<Response | undefined> {
    try {
      return await send('PUT', database, `/_api/job/${id}`);
    } catch (error) {
      // Whoever logs in again is told what came of it.
      if (error instanceof LoginNeeded) throw error;
      if (!(error instanceof Refused)) return undefined;
      sessionStorage.removeItem(JOB);
      throw error;
    }
  }
}

function finished(verb: LongVerb, answer: unknown): void {
  if (verb === 'verify') {
    showVerified(answer as Verified);
    return;
  }
  const said = answer as { collections?: readonly unknown[]; copied?: Record<string, unknown> };
  const list = (said.copied?.['collections'] ?? said.collections) as readonly unknown[] | undefined;
  const copied = counted(list?.length ?? 0, 'collection');
  say('ok', verb === 'sync' ? `Copied ${copied}.` : `Copied ${copied}; following from here on.`);
}

function showVerified({ equal, collections }: Verified): void {
  const different = collections.filter(({ result }) => result !== 'equal').length;
  const all = counted(collections.length, 'collection');
  const text = equal
    ? `All is equal: ${all}, every document and its revision.`
    : `${number(different)} of ${all} differ from those of the leader.`;
  say(equal ? 'ok' : 'bad', text);
  setText(byId('verify-text'), text);
  const show = (count: number | null): string => (count === null ? '–' : number(count));
  setRows(
    byId('verify-rows'),
    [...collections].sort((a, b) => Number(a.result === 'equal') - Number(b.result === 'equal')),
    ({ name }) => name,
    ({ name, result, count, leaderCount }) => [
      { text: name },
      { text: result, kind: result === 'equal' ? 'good' : 'wrong' },
      { text: show(count), kind: 'num' },
      { text: show(leaderCount), kind: 'num' },
    ],
  );
  const dialog = byId('verify-dialog', HTMLDialogElement);
  if (!dialog.open) dialog.showModal();
}

/** Says what is going on, or what came of it. */
function say(tone: 'ok' | 'busy' | 'bad', text: string): void {
  const activity = byId('activity');
  activity.dataset['tone'] = tone;
  setText(activity, text);
  setShown(activity, text !== '');
}

/** Says nothing any more: another database is looked at. */
export function sayNothing(): void {
  say('ok', '');
}
