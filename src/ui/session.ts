/** Who is logged in: for as long as this tab is open, and for no other one. */

const TOKEN = 'ticklog.token';
const BY_BROWSER = 'ticklog.by-browser';

export interface Session {
  readonly token: string | undefined;
  /** The browser itself says who it is, and asks for a password where it has none. */
  readonly isByBrowser: boolean;
}

export function session(): Session {
  return {
    token: sessionStorage.getItem(TOKEN) ?? undefined,
    isByBrowser: sessionStorage.getItem(BY_BROWSER) !== null,
  };
}

export function keepToken(token: string): void {
  clearSession();
  sessionStorage.setItem(TOKEN, token);
}

export function leaveItToTheBrowser(): void {
  clearSession();
  sessionStorage.setItem(BY_BROWSER, 'yes');
}

export function clearSession(): void {
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(BY_BROWSER);
}
