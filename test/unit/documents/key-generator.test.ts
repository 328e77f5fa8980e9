import { describe, expect, test } from 'vitest';
import type { Collection } from '../../../src/documents/collection.ts';
import { validateKeyOptions } from '../../../src/documents/key-generator.ts';
import { CollectionType } from '../../../src/model/collection.ts';
import { type ErrorName, ServiceError } from '../../../src/model/errors.ts';
import { TestCore } from '../../support/store.ts';

function refusal(kind: ErrorName): Error {
  return expect.objectContaining({ kind }) as Error;
}

describe('key generators', () => {
  test('make keys that rise and are never used again, over restarts too', async () => {
    await using core = await TestCore.open();
    await core.collections.create(core.system, { name: 'c' });
    const insert = async (): Promise<string> =>
      (await core.documents.insert(core.system, core.system.get('c'), '{}')).key;
    const keys = [await insert(), await insert()];
    await core.documents.remove(core.system, core.system.get('c'), keys[1]!);
    keys.push(await insert());
    await core.reopen();
    keys.push(await insert());
    expect(keys.map(BigInt)).toEqual(keys.map(BigInt).sort((a, b) => Number(a - b)));
    expect(new Set(keys).size).toBe(4);
  });

  test('autoincrement counts by offset and increment, above numbers given by users', async () => {
    await using core = await TestCore.open();
    await core.collections.create(core.system, { name: 'c' });
    const keyOptions = { type: 'autoincrement', allowUserKeys: true, offset: 7, increment: 3 };
    await core.collections.create(core.system, { name: 'auto', keyOptions });
    const auto = (): Collection => core.system.get('auto');
    const insert = async (body = '{}'): Promise<string> =>
      (await core.documents.insert(core.system, auto(), body)).key;
    expect([await insert(), await insert()]).toEqual(['7', '10']);
    await insert('{"_key":"20"}');
    await insert('{"_key":"12"}');
    await insert('{"_key":"x99"}');
    expect(await insert()).toBe('22');
    await core.documents.remove(core.system, auto(), '22');
    expect(await insert()).toBe('25');
    await core.reopen();
    expect(await insert()).toBe('28');
    const many = await Promise.all(Array.from({ length: 50 }, () => insert()));
    expect(new Set(many).size).toBe(50);
    expect(many.map(Number)).toEqual(Array.from({ length: 50 }, (_, i) => 31 + 3 * i));
  });

  test('a refused insert uses up no autoincrement key', async () => {
    await using core = await TestCore.open();
    await core.collections.create(core.system, { name: 'c' });
    const auto = await core.collections.create(core.system, {
      name: 'auto',
      type: CollectionType.edge,
      keyOptions: { type: 'autoincrement', allowUserKeys: true, offset: 0, increment: 1 },
    });
    const ends = { from: 'u/1', to: 'u/2' };
    expect((await core.documents.insert(core.system, auto, '{}', { ends })).key).toBe('1');
    await expect(core.documents.insert(core.system, auto, '{}')).rejects.toBeInstanceOf(
      ServiceError,
    );
    await expect(
      core.documents.insert(core.system, auto, '{"_key":"1"}', { ends }),
    ).rejects.toThrow(refusal('uniqueConstraintViolated'));
    expect((await core.documents.insert(core.system, auto, '{}', { ends })).key).toBe('2');
  });

  test('keys of users are refused where they are not allowed', async () => {
    await using core = await TestCore.open();
    await core.collections.create(core.system, { name: 'c' });
    const keyOptions = { type: 'traditional', allowUserKeys: false };
    const own = await core.collections.create(core.system, { name: 'own', keyOptions });
    await expect(core.documents.insert(core.system, own, '{"_key":"a"}')).rejects.toThrow(
      refusal('unexpectedDocumentKey'),
    );
    await core.documents.insert(core.system, own, '{}');
  });
});

describe('options of a key generator', () => {
  test('get their defaults', () => {
    expect(validateKeyOptions(undefined)).toBeUndefined();
    expect(validateKeyOptions(null)).toBeUndefined();
    expect(validateKeyOptions({})).toEqual({ type: 'traditional', allowUserKeys: true });
    expect(validateKeyOptions({ type: 'autoincrement' })).toEqual({
      type: 'autoincrement',
      offset: 0,
      increment: 1,
      allowUserKeys: true,
    });
  });

  test('P10: are refused when they make no sense', () => {
    for (const options of [
      7,
      [],
      'autoincrement',
      { type: 'nonsense' },
      { allowUserKeys: 1 },
      { type: 'autoincrement', offset: -1 },
      { type: 'autoincrement', increment: 0 },
      { type: 'autoincrement', increment: 1.5 },
      { type: 'autoincrement', increment: '1' },
      { type: 'autoincrement', offset: 1e9 },
    ]) {
      expect(() => validateKeyOptions(options), JSON.stringify(options)).toThrow(
        refusal('invalidKeyGenerator'),
      );
    }
  });
});
