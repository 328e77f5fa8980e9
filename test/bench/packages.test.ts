import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPackages } from '../../bench/demo/packages.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ticklog-packages-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function addPackage(path: string, manifest: unknown): void {
  const target = join(directory, path);
  mkdirSync(target, { recursive: true });
  const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
  writeFileSync(join(target, 'package.json'), text);
}

test('a dependency leads to the package Node would load: the nearest one', () => {
  addPackage('node_modules/@scope/app', {
    name: '@scope/app',
    version: '1.0.0',
    dependencies: { near: '^2.0.0', far: '*', missing: '*' },
  });
  addPackage('node_modules/near', { name: 'near', version: '1.0.0' });
  addPackage('node_modules/far', { name: 'far', version: '1.0.0' });
  addPackage('node_modules/@scope/app/node_modules/near', { name: 'near', version: '2.0.0' });
  const { dependencies } = readPackages(join(directory, 'node_modules'));
  expect(dependencies.map(({ _from, _to }) => [_from, _to])).toEqual([
    ['packages/@scope:app@1.0.0', 'packages/near@2.0.0'],
    ['packages/@scope:app@1.0.0', 'packages/far@1.0.0'],
  ]);
});

test('keys are legal and unique, and the attributes of the server are left out', () => {
  addPackage('node_modules/one', { name: 'twin', version: '1.0.0', _id: 'twin@1.0.0' });
  addPackage('node_modules/two', { name: 'twin', version: '1.0.0' });
  addPackage('node_modules/two/d i r', { type: 'module' });
  const { packages } = readPackages(join(directory, 'node_modules'));
  expect(packages.map(({ _key }) => _key)).toEqual([
    'twin@1.0.0',
    'twin@1.0.0+2',
    'node_modules:two:d-i-r',
  ]);
  expect(packages[0]).not.toHaveProperty('_id');
});

test('files that hold no JSON object are counted and passed over', () => {
  addPackage('node_modules/broken', '{"name":');
  addPackage('node_modules/list', '[]');
  addPackage('node_modules/good', { name: 'good', version: '1.0.0' });
  const { packages, unreadable } = readPackages(join(directory, 'node_modules'));
  expect(packages).toHaveLength(1);
  expect(unreadable).toBe(2);
});
