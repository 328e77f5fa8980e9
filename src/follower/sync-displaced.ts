import type { Collection } from '../documents/collection.ts';
import type { Database } from '../documents/database.ts';
import type { LeaderInventory } from './leader-answers.ts';
import type { Restriction } from './restriction.ts';

export interface Displacement {
  readonly database: Database;
  readonly inventory: LeaderInventory;
  /** What the sync is to copy. */
  readonly restriction: Restriction;
  /** Whether a collection that is here is a copy from the leader that is copied. */
  readonly isOurs: (collection: Collection) => boolean;
  /** Whether an applier goes on with what has this name on the leader. */
  readonly isLeftToApplier: (name: string) => boolean;
}

/**
 * Which of a leader's collections a copy of some of them would put out of their place here: copies that still have a
 * name which now belongs to one that is copied, while the leader has them under another name. The applier, whose
 * position the copy leaves behind it, goes on with them and could not make them out of the log, so they are copied as
 * well; and so are those whose place they take in turn (docs/adr/0009).
 *
 * @returns ids on the leader
 */
export function displacedBy(displacement: Displacement): ReadonlySet<string> {
  const { database, inventory, restriction, isOurs, isLeftToApplier } = displacement;
  const names = new Map(inventory.collections.map(({ parameters: { cid, name } }) => [cid, name]));
  const displaced = new Set<string>();
  const copied = [...names].filter(([, name]) => restriction.accepts(name));
  // Grows while it is gone through.
  for (const [cid, name] of copied) {
    const inTheWay = database.byName(name);
    if (!inTheWay || inTheWay.cid === cid || !isOurs(inTheWay)) continue;
    const newName = names.get(inTheWay.cid);
    if (newName === undefined || displaced.has(inTheWay.cid)) continue;
    if (restriction.accepts(newName) || !isLeftToApplier(newName)) continue;
    displaced.add(inTheWay.cid);
    copied.push([inTheWay.cid, newName]);
  }
  return displaced;
}
