import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What was compiled once, by a hash of what it was compiled from: some ten test files want the same. A clean install removes it. */
const COMPILED = join(ROOT, 'node_modules/.cache/ticklog-tests');

/**
 * Compiles `src` and `test/support` as they stand into a directory, without checking types, so that a
 * child process runs the same code as the test beside it, whatever state `dist` is in.
 * @returns the path of the compiled form of `program`, a path below the root of the project
 */
export async function buildForChild(directory: string, program: string): Promise<string> {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) =>
    ts.sys.readFile(path),
  ) as {
    config: { compilerOptions: Record<string, unknown> };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  // A file on its own does not say that it is a module.
  const compilerOptions = { ...options, sourceMap: false, module: ts.ModuleKind.ESNext };
  await mkdir(COMPILED, { recursive: true });
  for (const folder of ['src', 'test/support']) {
    const names = await readdir(join(ROOT, folder), { recursive: true });
    for (const name of names.filter((each) => /(?<!\.d)\.ts$/.test(each))) {
      const source = await readFile(join(ROOT, folder, name), 'utf8');
      const target = join(directory, folder, name.replace(/\.ts$/, '.js'));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, await compiled(source, compilerOptions));
    }
  }
  await writeFile(join(directory, 'package.json'), '{"type":"module"}\n');
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return join(directory, program.replace(/\.ts$/, '.js'));
}

async function compiled(source: string, compilerOptions: ts.CompilerOptions): Promise<string> {
  const input = [ts.version, JSON.stringify(compilerOptions), source];
  const path = join(COMPILED, createHash('sha256').update(input.join('\n')).digest('hex'));
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const { outputText } = ts.transpileModule(source, { compilerOptions });
  // Others may be reading what another process has begun.
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, outputText);
  await rename(unfinished, path);
  return outputText;
}
