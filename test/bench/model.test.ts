import { describe, expect, test } from 'vitest';
import { type Documents, Model, differences } from '../../bench/demo/model.ts';

const COLLECTION = 'packages';

function content(value: number): { _key: string; value: number } {
  return { _key: 'a', value };
}

function found(documents: Documents): ReadonlyMap<string, Documents> {
  return new Map([[COLLECTION, documents]]);
}

function modelWith(value: number): Model {
  const model = new Model();
  model.acknowledge({ collection: COLLECTION, key: 'a', content: content(value) }, '1');
  return model;
}

describe('what the leader must hold', () => {
  test('an acknowledged write that is gone is a difference', () => {
    const model = modelWith(1);
    expect(differences(model.collections, found(new Map()))).toEqual([
      'packages/a: missing on the right',
    ]);
  });

  test('another revision, or other data under the same one, is a difference', () => {
    const model = modelWith(1);
    const same = new Map([['a', { rev: '1', content: content(1) }]]);
    const otherRev = new Map([['a', { rev: '2', content: content(1) }]]);
    const otherData = new Map([['a', { rev: '1', content: content(2) }]]);
    expect(differences(model.collections, found(same))).toEqual([]);
    expect(differences(model.collections, found(otherRev))).toHaveLength(1);
    expect(differences(model.collections, found(otherData))).toHaveLength(1);
  });

  test('an unanswered write may have happened', () => {
    const model = modelWith(1);
    model.noteUnanswered({ collection: COLLECTION, key: 'a', content: content(2) });
    const after = found(new Map([['a', { rev: '2', content: content(2) }]]));
    expect(model.settle(after)).toEqual({ happened: 1, lost: 0 });
    expect(differences(model.collections, after)).toEqual([]);
  });

  test('an unanswered write may not have happened', () => {
    const model = modelWith(1);
    model.noteUnanswered({ collection: COLLECTION, key: 'a', content: undefined });
    const before = found(new Map([['a', { rev: '1', content: content(1) }]]));
    expect(model.settle(before)).toEqual({ happened: 0, lost: 1 });
    expect(model.count).toBe(1);
  });

  test('a document that is neither as before nor as after is an error', () => {
    const model = modelWith(1);
    model.noteUnanswered({ collection: COLLECTION, key: 'a', content: content(2) });
    const other = found(new Map([['a', { rev: '3', content: content(3) }]]));
    expect(() => model.settle(other)).toThrow('packages/a is neither as before nor as after');
  });
});
