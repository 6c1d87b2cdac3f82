import { planTree } from '../../../../domain/plan-tree';
import { limitsInForce } from '../../../../domain/planning/limits-in-force';
import type { OperatingEnvelope } from '../../../../domain/fleet';
import { aDispatch, aFeeder, anEv, aSnapshot, nodeOf, planOf, several, targetsOf } from '../builders';

const anEnvelope = (envelope: Partial<OperatingEnvelope> = {}): OperatingEnvelope => ({
  envelopeId: '1',
  feederId: 'feeder',
  source: 'network',
  importLimitKw: null,
  exportLimitKw: null,
  ...envelope,
});
const feeder = aFeeder({ importLimitKw: 100, exportLimitKw: 50 });
const byNetwork = { kind: 'envelope', envelopeId: '1', publishedBy: 'network' };
const byDispatch = { kind: 'dispatch', dispatchId: 'dispatch' };

describe('the limits in force', () => {
  it('are the static ones when nothing else speaks for the node', () => {
    expect(limitsInForce(feeder, { envelopes: [], dispatches: [] })).toMatchObject({
      high: { kw: 100, source: { kind: 'static' } },
      low: { kw: -50, source: { kind: 'static' } },
      claims: [],
    });
  });

  it('are the tightest of static limit, envelope and dispatch, side by side, and name whose they are', () => {
    const limits = limitsInForce(feeder, {
      envelopes: [anEnvelope({ importLimitKw: 80, exportLimitKw: 20 })],
      dispatches: [aDispatch({ importLimitKw: 60, exportLimitKw: 40 })],
    });
    expect(limits).toMatchObject({
      high: { kw: 60, source: byDispatch },
      low: { kw: -20, source: byNetwork },
      ownHighKw: 80,
      ownLowKw: -20,
    });
  });

  it('keep what everybody asked, tightest or not', () => {
    const envelopes = [anEnvelope({ importLimitKw: 120 })];
    const { high, claims } = limitsInForce(feeder, { envelopes, dispatches: [aDispatch({ targetKw: 30 })] });
    expect(high).toEqual({ kw: 30, source: byDispatch });
    expect(claims).toEqual([
      { side: 'import', kw: 120, source: byNetwork },
      { side: 'import', kw: 30, source: byDispatch },
      { side: 'export', kw: 30, source: byDispatch },
    ]);
  });

  it('are the tighter of two envelopes', () => {
    const envelopes = [
      anEnvelope({ importLimitKw: 70 }),
      anEnvelope({ envelopeId: '2', source: 'owner', importLimitKw: 65 }),
    ];
    expect(limitsInForce(feeder, { envelopes, dispatches: [] }).high).toEqual({
      kw: 65,
      source: { kind: 'envelope', envelopeId: '2', publishedBy: 'owner' },
    });
  });
});

it('holds an envelope like a static limit and names it', () => {
  const plan = planTree(
    aSnapshot({ feeders: [feeder], devices: several(4, anEv()), envelopes: [anEnvelope({ importLimitKw: 44 })] }),
  );
  expect(targetsOf(plan)).toEqual({ 'ev-1': 11, 'ev-2': 11, 'ev-3': 11, 'ev-4': 11 });
  expect(planOf(plan, 'ev-1').explanation.boundBy).toBe('feeder');
  expect(nodeOf(plan)).toMatchObject({ binding: 'import', high: { kw: 44, source: byNetwork } });
});

it('lets a dispatch give way to an envelope above it', () => {
  const feeders = [aFeeder({ feederId: 'root', importLimitKw: 100 }), aFeeder({ parentId: 'root' })];
  const plan = planTree(
    aSnapshot({
      feeders,
      devices: several(2, anEv()),
      dispatches: [aDispatch({ targetKw: 40 })],
      envelopes: [anEnvelope({ feederId: 'root', importLimitKw: 30 })],
    }),
  );
  expect(targetsOf(plan)).toEqual({ 'ev-1': 15, 'ev-2': 15 });
  expect(nodeOf(plan).missingKw).toBeCloseTo(10, 6);
});

it('refuses an envelope for a feeder that is not in the tree', () => {
  expect(() => planTree(aSnapshot({ envelopes: [anEnvelope({ feederId: 'x', importLimitKw: 1 })] }))).toThrow(
    'envelope 1 is for feeder x, which is not in the tree',
  );
});
