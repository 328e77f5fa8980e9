import { describe, expect, it } from 'vitest';
import { Restriction } from '../../../src/follower/restriction.ts';

describe('Restriction', () => {
  it('without one all collections are accepted', () => {
    const all = new Restriction('', [], true);
    expect(all.accepts('orders')).toBe(true);
    expect(all.accepts('_graphs')).toBe(true);
  });

  it('include accepts the named ones only', () => {
    const some = new Restriction('include', ['orders', '_graphs'], true);
    expect(some.accepts('orders')).toBe(true);
    expect(some.accepts('_graphs')).toBe(true);
    expect(some.accepts('Orders')).toBe(false);
    expect(some.accepts('links')).toBe(false);
  });

  it('exclude accepts all but the named ones', () => {
    const some = new Restriction('exclude', ['orders'], true);
    expect(some.accepts('orders')).toBe(false);
    expect(some.accepts('links')).toBe(true);
  });

  it('without system collections no name with an underscore is accepted, even if named', () => {
    expect(new Restriction('', [], false).accepts('_graphs')).toBe(false);
    expect(new Restriction('include', ['_graphs'], false).accepts('_graphs')).toBe(false);
    expect(new Restriction('', [], false).accepts('orders')).toBe(true);
  });

  it.each(['_users', '_statistics15', '_replication', '_trx', '_jobs'])(
    'what never takes part in replication is not accepted: %s',
    (name) => {
      expect(new Restriction('', [], true).accepts(name)).toBe(false);
      expect(new Restriction('include', [name], true).accepts(name)).toBe(false);
    },
  );

  it('equals another that accepts the same, however its names are written', () => {
    const one = new Restriction('include', ['b', 'a', 'b'], true);
    expect(one.equals({ type: 'include', names: ['a', 'b'], includeSystem: true })).toBe(true);
    expect(one.equals({ type: 'exclude', names: ['a', 'b'], includeSystem: true })).toBe(false);
    expect(one.equals({ type: 'include', names: ['a'], includeSystem: true })).toBe(false);
    expect(one.equals({ type: 'include', names: ['a', 'b'], includeSystem: false })).toBe(false);
  });
});
