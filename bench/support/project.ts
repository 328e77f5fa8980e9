import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Directory of the package: the nearest one above the compiled program that has a package.json. */
export const PROJECT_DIRECTORY = findProject(dirname(fileURLToPath(import.meta.url)));

/** The built product: `node dist/main.js VERB`. */
export const PRODUCT_PROGRAM = join(PROJECT_DIRECTORY, 'dist', 'main.js');

/** What a figure was measured with. */
export interface Surroundings {
  /** Short hash, with `+` behind it when files differ from it; `unknown` outside a repository. */
  readonly commit: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
}

/** Asks git, Node and the system. */
export function surroundings(): Surroundings {
  const [cpu] = cpus();
  return {
    commit: commit(),
    node: process.version,
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
  };
}

function commit(): string {
  try {
    const hash = git('rev-parse', '--short', 'HEAD');
    return git('status', '--porcelain') === '' ? hash : `${hash}+`;
  } catch {
    // No git, or a copy without its history: the figures are good all the same.
    return 'unknown';
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, {
    cwd: PROJECT_DIRECTORY,
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
  }).trim();
}

function findProject(start: string): string {
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, 'package.json'))) return directory;
    if (directory === dirname(directory)) throw new Error(`no package.json above ${start}`);
  }
}
