import { byId, setText } from './dom.ts';

/** Which leader to copy from, as somebody typed it. */
export interface LeaderChoice {
  readonly endpoint: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
}

/** What a question says. */
export interface Question {
  readonly title: string;
  readonly text: string;
  /** On the button that does it. */
  readonly go: string;
}

/** Lets every button to cancel close the dialog that it stands in. */
export function wireDialogs(): void {
  for (const button of document.querySelectorAll<HTMLElement>('[data-close]')) {
    button.addEventListener('click', () => button.closest('dialog')?.close('cancel'));
  }
}

/** Asks before something is done; resolves with whether it is to be. */
export async function confirmed({ title, text, go }: Question): Promise<boolean> {
  setText(byId('confirm-title'), title);
  setText(byId('confirm-text'), text);
  setText(byId('confirm-go'), go);
  return (await answerOf(byId('confirm-dialog', HTMLDialogElement))) === 'go';
}

/**
 * Asks for a leader, and whether what is here may be replaced; resolves with undefined when nothing is to be done.
 * @param sure what has to be ticked
 */
export async function askForLeader(
  { title, text, go, sure }: Question & { readonly sure: string },
  known: { readonly endpoint: string; readonly database: string; readonly username: string },
): Promise<LeaderChoice | undefined> {
  setText(byId('leader-title'), title);
  setText(byId('leader-text'), text);
  setText(byId('leader-go'), go);
  setText(byId('leader-sure-text'), sure);
  const field = (id: string): HTMLInputElement => byId(`leader-${id}`, HTMLInputElement);
  field('endpoint').value = known.endpoint;
  field('database').value = known.database;
  field('user').value = known.username;
  field('password').value = '';
  field('sure').checked = false;
  const answer = await answerOf(byId('leader-dialog', HTMLDialogElement));
  const password = field('password').value;
  field('password').value = '';
  if (answer !== 'go') return undefined;
  return {
    endpoint: field('endpoint').value.trim(),
    database: field('database').value.trim(),
    username: field('user').value.trim(),
    password,
  };
}

function answerOf(dialog: HTMLDialogElement): Promise<string> {
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue), { once: true });
  });
}
