import { Refused, fetchToken } from './api.ts';
import { byId, setText } from './dom.ts';
import { keepToken, leaveItToTheBrowser } from './session.ts';

/**
 * The form to log in by.
 * @param onReady called when there is something to try: a token, or the word of the browser
 */
export function wireLogin(onReady: () => void): void {
  const user = byId('login-user', HTMLInputElement);
  const password = byId('login-password', HTMLInputElement);
  const form = byId('login', HTMLFormElement);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const typed = password.value;
    password.value = '';
    setText(byId('login-error'), '');
    fetchToken(user.value, typed)
      .then((token) => {
        keepToken(token);
        onReady();
      })
      .catch((error: unknown) => {
        const isRefused = error instanceof Refused;
        setText(byId('login-error'), isRefused ? error.message : 'The server does not answer.');
        password.focus();
      });
  });
  byId('login-browser').addEventListener('click', () => {
    leaveItToTheBrowser();
    onReady();
  });
}

/** Puts the form in front of whoever is to fill it. */
export function showLogin(): void {
  byId('page').hidden = true;
  byId('database-box').hidden = true;
  const form = byId('login');
  if (!form.hidden) return;
  form.hidden = false;
  byId('login-user').focus();
}
