/** A value as it stands in a configuration file. */
export interface FileEntry {
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

/** What a configuration file says, and what could not be read in it. */
export interface ConfigFile {
  readonly entries: ReadonlyMap<string, FileEntry>;
  /** Sentences that begin with the line. */
  readonly problems: readonly string[];
}

/**
 * Reads the syntax of ArangoDB's own configuration files: `key = value`, `#` or `;` before a comment that
 * has its line to itself, and `[section]`, which is put before the keys that follow unless they hold
 * a dot already. Knows nothing of which keys there are.
 */
export function parseConfigFile(text: string): ConfigFile {
  const entries = new Map<string, FileEntry>();
  const problems: string[] = [];
  let section = '';
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = index + 1;
    const content = raw.trim();
    if (content === '' || content.startsWith('#') || content.startsWith(';')) continue;
    const header = /^\[\s*([\w.-]+)\s*\]$/.exec(content)?.[1];
    if (header !== undefined) {
      section = header;
      continue;
    }
    const [, name, value] = /^([\w.-]+)\s*=\s*(.*)$/.exec(content) ?? [];
    if (name === undefined || value === undefined) {
      problems.push(`line ${line}: neither key = value, [section] nor a comment`);
      continue;
    }
    const key = section === '' || name.includes('.') ? name : `${section}.${name}`;
    const earlier = entries.get(key);
    if (earlier === undefined) entries.set(key, { value, line });
    else problems.push(`line ${line}: ${key} was given before, in line ${earlier.line}`);
  }
  return { entries, problems };
}
