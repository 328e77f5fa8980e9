import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

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
  for (const folder of ['src', 'test/support']) {
    const names = await readdir(join(ROOT, folder), { recursive: true });
    for (const name of names.filter((each) => /(?<!\.d)\.ts$/.test(each))) {
      const source = await readFile(join(ROOT, folder, name), 'utf8');
      const { outputText } = ts.transpileModule(source, {
        // A file on its own does not say that it is a module.
        compilerOptions: { ...options, sourceMap: false, module: ts.ModuleKind.ESNext },
        fileName: name,
      });
      const target = join(directory, folder, name.replace(/\.ts$/, '.js'));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, outputText);
    }
  }
  await writeFile(join(directory, 'package.json'), '{"type":"module"}\n');
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return join(directory, program.replace(/\.ts$/, '.js'));
}
