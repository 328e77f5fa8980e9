import { UsageError } from './io.ts';

/** What a setting can hold. */
export type SettingValue = string | number | boolean | readonly string[];

/** The settings there are, each with a value of the type it takes. */
export type KnownSettings = Readonly<Record<string, SettingValue>>;

/**
 * Reads the `key=value` of `--set`. Texts are taken as they are, lists are parted by commas.
 * @throws UsageError naming every pair that can not be used
 */
export function parseSettings(
  pairs: readonly string[],
  known: KnownSettings,
): Record<string, SettingValue> {
  const settings: Record<string, SettingValue> = {};
  const problems: string[] = [];
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    const example = Object.hasOwn(known, key) ? known[key] : undefined;
    if (example === undefined) {
      const names = Object.keys(known).sort().join(', ');
      problems.push(`--set ${key}: there is no setting ${key}; there are: ${names}`);
      continue;
    }
    const value = equals < 0 ? undefined : parseValue(pair.slice(equals + 1), example);
    if (value === undefined) problems.push(`--set ${key}: ${wanted(key, example)}`);
    else settings[key] = value;
  }
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return settings;
}

/** A value as `--set` takes it. */
export function settingText(value: unknown): string {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? value.join(',') : JSON.stringify(value);
}

function parseValue(text: string, example: SettingValue): SettingValue | undefined {
  switch (typeof example) {
    case 'string':
      return text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined;
    case 'number':
      return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
    default:
      return text === '' ? [] : text.split(',');
  }
}

function wanted(key: string, example: SettingValue): string {
  switch (typeof example) {
    case 'string':
      return `expected ${key}=TEXT`;
    case 'boolean':
      return `expected ${key}=true or ${key}=false`;
    case 'number':
      return `expected ${key}=NUMBER`;
    default:
      return `expected ${key}=NAME,NAME,...`;
  }
}
