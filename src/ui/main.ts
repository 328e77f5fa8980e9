import { Actions, sayNothing } from './actions.ts';
import { LoginNeeded, Refused, get } from './api.ts';
import { CollectionsPanel } from './collections-panel.ts';
import { wireDialogs } from './dialogs.ts';
import { byId, make, setShown, setText } from './dom.ts';
import { EntriesPanel } from './entries-panel.ts';
import { showErrors } from './errors-panel.ts';
import { clock } from './format.ts';
import { showLogin, wireLogin } from './login.ts';
import { Plots } from './plots.ts';
import { clearSession, session } from './session.ts';
import { showState } from './state-panels.ts';
import { showSync } from './sync-panel.ts';
import { showWorks } from './works-panel.ts';
import type { ApplierStatus, History, LoggerStatus, Overview, Snapshot } from './types.ts';

const PAUSE_MS = 1500;
const SYSTEM = '_system';
const LOST_DATABASE = 1228;

/** The page: asks the server again and again, and shows what it says. */
class Page {
  readonly #plots = new Plots();
  readonly #entries = new EntriesPanel();
  readonly #collections = new CollectionsPanel();
  readonly #databases = byId('database', HTMLSelectElement);
  readonly #actions = new Actions({
    database: () => this.#database,
    seen: () => this.#snapshot,
    refresh: () => this.#refresh(),
    onLoginNeeded: (error) => this.#failed(error),
  });
  #database = decodeURIComponent(location.hash.slice(1)) || SYSTEM;
  #snapshot: Snapshot | undefined;
  #lastSeenMs = 0;
  #wake: () => void = () => undefined;
  #hasResumed = false;
  /** Nothing is asked that would be refused again. */
  #needsLogin = false;

  constructor() {
    wireDialogs();
    wireLogin(() => {
      this.#needsLogin = false;
      this.#refresh();
    });
    this.#databases.addEventListener('change', () => this.#choose(this.#databases.value));
    addEventListener('hashchange', () => this.#choose(decodeURIComponent(location.hash.slice(1))));
    byId('log-out').addEventListener('click', () => {
      clearSession();
      location.reload();
    });
    document.addEventListener('visibilitychange', () => this.#refresh());
  }

  /** Never ends; a page that nobody sees asks for nothing, nor one that waits for a login. */
  async run(): Promise<never> {
    for (;;) {
      if (!document.hidden && !this.#needsLogin) {
        const database = this.#database;
        try {
          await this.#update(database);
        } catch (error) {
          if (database === this.#database) this.#failed(error);
        }
      }
      await this.#pause();
    }
  }

  #refresh(): void {
    this.#wake();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PAUSE_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #choose(name: string): void {
    const wanted = name || SYSTEM;
    if (wanted === this.#database) return;
    this.#database = wanted;
    location.hash = encodeURIComponent(wanted);
    this.#snapshot = undefined;
    this.#plots.clear();
    this.#entries.clear();
    sayNothing();
    this.#refresh();
  }

  async #update(database: string): Promise<void> {
    const isFirst = this.#snapshot === undefined;
    const [overview, logger, applier] = await Promise.all([
      get<Overview>(database, '/_admin/overview'),
      get<LoggerStatus>(database, '/_api/replication/logger-state'),
      get<ApplierStatus>(database, '/_api/replication/applier-state'),
    ]);
    const [history] = await Promise.all([
      get<History>(database, `/_admin/history?since=${this.#plots.newest}`),
      this.#entries.update(database, overview.log),
      isFirst || document.activeElement !== this.#databases ? this.#listDatabases(database) : null,
    ]);
    // Somebody may have chosen another one meanwhile.
    if (database !== this.#database) return;
    this.#show({ overview, logger, applier }, history);
    if (this.#hasResumed) return;
    this.#hasResumed = true;
    void this.#actions.resume();
  }

  #show(snapshot: Snapshot, history: History): void {
    const { overview, applier } = snapshot;
    this.#snapshot = snapshot;
    this.#lastSeenMs = Date.now();
    setShown(byId('login'), false);
    setShown(byId('page'), true);
    setShown(byId('database-box'), true);
    this.#showTrouble('');
    this.#plots.add(history, applier.endpoint !== undefined);
    showState(snapshot, this.#plots.writeRate);
    showSync(applier);
    showErrors(applier);
    showWorks(overview.works);
    this.#collections.show(overview.collections);
    this.#actions.show(snapshot);
    setText(byId('server'), location.host);
    setShown(byId('user'), overview.user !== null);
    setText(byId('user'), `${overview.user ?? ''}${overview.mayWrite ? '' : ' (may only look)'}`);
    const { token, isByBrowser } = session();
    setShown(byId('log-out'), token !== undefined || isByBrowser);
  }

  async #listDatabases(current: string): Promise<void> {
    const { result } = await get<{ result: readonly string[] }>(current, '/_api/database/user');
    const known = [...this.#databases.options].map(({ value }) => value);
    if (known.join('\n') !== result.join('\n')) {
      this.#databases.replaceChildren(
        ...result.map((name) => {
          const option = make('option', '', name);
          option.value = name;
          return option;
        }),
      );
    }
    this.#databases.value = current;
  }

  #failed(error: unknown): void {
    if (error instanceof LoginNeeded) {
      this.#hasResumed = false;
      this.#needsLogin = true;
      this.#showTrouble('');
      showLogin();
      return;
    }
    if (error instanceof Refused) {
      if (error.errorNum === LOST_DATABASE && this.#database !== SYSTEM) this.#choose(SYSTEM);
      else this.#showTrouble(error.message);
      return;
    }
    const since =
      this.#lastSeenMs === 0 ? '' : ` Everything below is as of ${clock(this.#lastSeenMs)}.`;
    this.#showTrouble(`The server does not answer; it is tried again and again.${since}`);
  }

  #showTrouble(text: string): void {
    const trouble = byId('trouble');
    setText(trouble, text);
    setShown(trouble, text !== '');
    byId('page').classList.toggle('is-stale', text !== '');
  }
}

await new Page().run();
