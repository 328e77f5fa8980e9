import { assert } from '../base/assert.ts';
import { nearestName } from '../base/nearest-name.ts';
import { withoutPassword } from '../base/without-password.ts';
import { parseConfigFile, type FileEntry } from './config-file.ts';
import { environmentName, OPTIONS, type Option } from './options.ts';

/** Where a configuration is read from. */
export interface ConfigSources {
  /**
   * Flags of the command line under their names, `logger.auto-start` or as commander spells it,
   * `logger.autoStart`. Undefined counts as not given.
   */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  /** How to name the place of a flag in a problem; `flag --<name>` by default. */
  readonly describeFlag?: (flag: string) => string;
  /** Only the variables of `environmentName()` are looked at; an empty one counts as not given. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file. Throws when there is none to read. */
  readonly readFile: (path: string) => string;
}

interface Given {
  readonly text: string;
  readonly origin: string;
}

/** Where nothing is spelled nearly so. */
const HELP = 'ticklog help serve lists those that there are';
const ALL_OPTIONS: readonly Option<unknown>[] = Object.values(OPTIONS);

/** Looks options up in their order of precedence and collects everything that is wrong on the way. */
export class OptionReader {
  readonly #problems: string[] = [];
  readonly #flags: ConfigSources['flags'];
  readonly #describeFlag: (flag: string) => string;
  readonly #env: ConfigSources['env'];
  readonly #filePath: string | undefined;
  readonly #fileEntries: ReadonlyMap<string, FileEntry>;

  /** Reads the configuration file, if one is named, and notes flags, keys and variables that may not be. */
  constructor(sources: ConfigSources) {
    this.#flags = sources.flags;
    this.#describeFlag = sources.describeFlag ?? ((flag) => `flag --${flag}`);
    this.#env = sources.env;
    this.#fileEntries = new Map();
    this.#noteUnknownFlags();
    this.#noteMisplacedVariables();
    this.#filePath = this.#given(OPTIONS.configuration);
    if (this.#filePath !== undefined) {
      this.#fileEntries = this.#readFile(this.#filePath, sources.readFile);
      this.#noteUnusableKeys();
    }
  }

  /** The path of the file that is read, '' for none. */
  get filePath(): string {
    return this.#filePath ?? '';
  }

  /** What was found to be wrong so far, a sentence each. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** The value that is in force; the default as well when the given one is refused, which is noted. */
  value<T>(option: Option<T>): T {
    const value = this.#given(option) ?? option.type.parse(option.fallback);
    assert(value !== undefined, `the default of ${option.key} is not among its own values`);
    return value;
  }

  /** The value as it was given; undefined when it was not, or when it is refused. */
  #given<T>(option: Option<T>): T | undefined {
    const given = this.#find(option);
    if (given === undefined) return undefined;
    const value = option.type.parse(given.text);
    if (value === undefined) {
      const shown = JSON.stringify(withoutPassword(given.text));
      const { allowed } = option.type;
      this.#problems.push(
        `${option.key}: ${shown} (${given.origin}) is refused; allowed: ${allowed}`,
      );
    }
    return value;
  }

  #find(option: Option<unknown>): Given | undefined {
    const flag = this.#flags[option.flag] ?? this.#flags[camelCase(option.flag)];
    if (flag !== undefined) return { text: String(flag), origin: this.#describeFlag(option.flag) };
    if (option.sources === 'flag') return undefined;
    const variable = environmentName(option.key);
    const text = this.#env[variable] ?? '';
    if (text !== '') return { text, origin: `environment ${variable}` };
    const entry = option.sources === 'all' ? this.#fileEntries.get(option.key) : undefined;
    return entry && { text: entry.value, origin: this.#placeOf(entry) };
  }

  #placeOf(entry: FileEntry): string {
    return `${this.#filePath ?? ''} line ${entry.line}`;
  }

  #noteUnknownFlags(): void {
    const known = new Set(ALL_OPTIONS.flatMap(({ flag }) => [flag, camelCase(flag)]));
    for (const [flag, value] of Object.entries(this.#flags)) {
      if (value === undefined || known.has(flag)) continue;
      const near = nearestName(
        flag,
        ALL_OPTIONS.map((option) => option.flag),
      );
      const hint = near === undefined ? HELP : `did you mean --${near}?`;
      this.#problems.push(`${flag}: no such flag; ${hint}`);
    }
  }

  #noteMisplacedVariables(): void {
    for (const { key, flag, sources } of ALL_OPTIONS) {
      const variable = environmentName(key);
      if (sources !== 'flag' || (this.#env[variable] ?? '') === '') continue;
      this.#problems.push(
        `${key}: not taken from environment ${variable}; allowed: flag --${flag}`,
      );
    }
  }

  #noteUnusableKeys(): void {
    const usable = ALL_OPTIONS.filter(({ sources }) => sources === 'all').map(({ key }) => key);
    for (const [key, entry] of this.#fileEntries) {
      if (usable.includes(key)) continue;
      const place = this.#placeOf(entry);
      const near = nearestName(key, usable);
      const hint = near === undefined ? HELP : `did you mean ${near}?`;
      this.#problems.push(`${key}: not a key of this file (${place}); ${hint}`);
    }
  }

  #readFile(path: string, read: ConfigSources['readFile']): ReadonlyMap<string, FileEntry> {
    let text;
    try {
      text = read(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#problems.push(`configuration: ${path} can not be read: ${reason}`);
      return new Map();
    }
    const { entries, problems } = parseConfigFile(text);
    this.#problems.push(...problems.map((problem) => `configuration: ${path} ${problem}`));
    return entries;
  }
}

/** How commander names a flag with dashes in its options object; dots stay. */
function camelCase(flag: string): string {
  return flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
