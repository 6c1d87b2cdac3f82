import fc from 'fast-check';
import { publishOrder, raisesToWithhold, type Move, type MoveNode } from '../../../domain/publish-order';

const aMove = (move: Partial<Move> & { fromKw?: number }): Move => {
  const { fromKw = 0, ...rest } = move;
  return {
    deviceId: 'device',
    deviceType: 'battery',
    feederId: 'feeder',
    fromHighKw: fromKw,
    fromLowKw: fromKw,
    toKw: 0,
    ...rest,
  };
};

const aNode = (node: Partial<MoveNode> = {}): MoveNode => ({
  feederId: 'feeder',
  parentId: null,
  highKw: 100,
  lowKw: -100,
  plannedHighKw: 0,
  plannedLowKw: 0,
  ...node,
});

const fullOfImport = { plannedHighKw: 100, plannedLowKw: 90 };
const fullOfExport = { plannedHighKw: -90, plannedLowKw: -100 };

describe('what is sent first', () => {
  it.each`
    what                                                              | move                                            | node            | phase
    ${'a lower allowance of an EV'}                                   | ${{ deviceType: 'ev', fromKw: 11, toKw: 6 }}    | ${fullOfExport} | ${'first'}
    ${'a higher allowance of an EV waits'}                            | ${{ deviceType: 'ev', fromKw: 6, toKw: 11 }}    | ${fullOfExport} | ${'second'}
    ${'a tighter cap of a PV'}                                        | ${{ deviceType: 'pv', fromKw: -40, toKw: -30 }} | ${fullOfImport} | ${'first'}
    ${'a wider cap of a PV waits'}                                    | ${{ deviceType: 'pv', fromKw: -30, toKw: -40 }} | ${fullOfImport} | ${'second'}
    ${'a battery that takes less where import is at its limit'}       | ${{ fromKw: 5, toKw: -5 }}                      | ${fullOfImport} | ${'first'}
    ${'a battery that takes more there waits'}                        | ${{ fromKw: -5, toKw: 5 }}                      | ${fullOfImport} | ${'second'}
    ${'a battery that takes more where export is at its limit'}       | ${{ fromKw: -5, toKw: 5 }}                      | ${fullOfExport} | ${'first'}
    ${'a battery that takes less there waits'}                        | ${{ fromKw: 5, toKw: -5 }}                      | ${fullOfExport} | ${'second'}
    ${'a battery that takes less where both sides have as much room'} | ${{ fromKw: 5, toKw: -5 }}                      | ${{}}           | ${'first'}
    ${'a target inside of where the battery may stand'}               | ${{ fromLowKw: -5, fromHighKw: 5, toKw: 3 }}    | ${fullOfExport} | ${'first'}
    ${'a renewal'}                                                    | ${{ fromKw: 5, toKw: 5 }}                       | ${fullOfImport} | ${'first'}
  `('$what: $phase', ({ move, node, phase }) => {
    const order = publishOrder([aMove(move as Partial<Move>)], [aNode(node as Partial<MoveNode>)]);
    expect(order).toEqual({ first: [], second: [], [phase as string]: ['device'] });
  });

  it('is decided by the limit with the least slack on the way to the root', () => {
    const nodes = [
      aNode({ feederId: 'root', ...fullOfExport }),
      aNode({ parentId: 'root', plannedHighKw: 90, plannedLowKw: 90 }),
    ];
    expect(publishOrder([aMove({ fromKw: 5, toKw: -5 })], nodes).second).toEqual(['device']);
  });

  it('refuses a move under a node that is not in the plan', () => {
    expect(() => publishOrder([aMove({ feederId: 'x' })], [aNode()])).toThrow(
      'device device hangs on feeder x, which is not in the plan',
    );
  });
});

describe('what is withheld', () => {
  const cut = aMove({ deviceId: 'cut', deviceType: 'ev', fromKw: 20, toKw: 10 });
  const raise = aMove({ deviceId: 'raise', deviceType: 'ev', fromKw: 0, toKw: 10 });
  const nodes = [aNode(fullOfImport)];

  it('is a raise under a full node when a cut there was not acknowledged', () => {
    expect(raisesToWithhold({ nodes, moves: [raise], unacknowledged: [cut] })).toEqual(new Set(['raise']));
  });

  it('is nothing when every cut was acknowledged', () => {
    expect(raisesToWithhold({ nodes, moves: [raise], unacknowledged: [] })).toEqual(new Set());
  });

  it('is nothing while the node has room for the failed cut', () => {
    const roomy = [aNode({ plannedHighKw: 90 })];
    expect(raisesToWithhold({ nodes: roomy, moves: [raise], unacknowledged: [cut] })).toEqual(new Set());
  });

  it('is no raise in another branch that has nothing to do with it', () => {
    const tree = [
      aNode({ feederId: 'root' }),
      aNode({ parentId: 'root', ...fullOfImport }),
      aNode({ feederId: 'other', parentId: 'root' }),
    ];
    const elsewhere = { ...raise, deviceId: 'elsewhere', feederId: 'other' };
    expect(raisesToWithhold({ nodes: tree, moves: [raise, elsewhere], unacknowledged: [cut] })).toEqual(
      new Set(['raise']),
    );
  });

  it('is a wider PV cap when the battery that was to take the power did not acknowledge', () => {
    const charge = aMove({ deviceId: 'charge', fromKw: 0, toKw: 15 });
    const widen = aMove({ deviceId: 'widen', deviceType: 'pv', fromKw: -60, toKw: -75 });
    const full = [aNode(fullOfExport)];
    expect(publishOrder([charge, widen], full)).toEqual({ first: ['charge'], second: ['widen'] });
    expect(raisesToWithhold({ nodes: full, moves: [widen], unacknowledged: [charge] })).toEqual(new Set(['widen']));
  });

  it('is not withheld for a limit that the plan itself is over: only a failed cut counts', () => {
    const over = [aNode({ plannedHighKw: 120 })];
    expect(raisesToWithhold({ nodes: over, moves: [raise], unacknowledged: [] })).toEqual(new Set());
  });
});

describe('on random trees', () => {
  const kw = fc.integer({ min: -20, max: 20 });
  const world = fc.record({
    parents: fc.array(fc.nat(5), { maxLength: 5 }),
    devices: fc.array(
      fc.record({
        type: fc.constantFrom('ev', 'battery', 'pv'),
        node: fc.nat(5),
        from: kw,
        to: kw,
        fails: fc.boolean(),
      }),
      { maxLength: 14 },
    ),
    slacks: fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { minLength: 6, maxLength: 6 }),
  });

  it('no node is over a limit because of a raise, whichever cuts fail', () => {
    fc.assert(
      fc.property(world, ({ parents, devices, slacks }) => {
        const parentOf = [-1, ...parents.map((parent, index) => Math.min(parent, index))];
        const moves = devices.map(({ type, node, from, to }, index): Move => {
          const signed = (value: number) =>
            type === 'ev' ? Math.abs(value) : type === 'pv' ? -Math.abs(value) : value;
          const feederId = String(Math.min(node, parentOf.length - 1));
          return aMove({
            deviceId: String(index),
            deviceType: type,
            feederId,
            fromKw: signed(from),
            toKw: signed(to),
          });
        });
        const flows = (powerOf: (move: Move) => number) => {
          const sums = parentOf.map(() => ({ high: 0, low: 0 }));
          for (const move of moves) {
            for (let node = Number(move.feederId); node >= 0; node = parentOf[node] ?? -1) {
              const sum = sums[node];
              if (sum === undefined) continue;
              if (move.deviceType !== 'pv') sum.high += powerOf(move);
              if (move.deviceType !== 'ev') sum.low += powerOf(move);
            }
          }
          return sums;
        };
        const planned = flows(({ toKw }) => toKw);
        const nodes = parentOf.map((parent, node): MoveNode => ({
          feederId: String(node),
          parentId: parent < 0 ? null : String(parent),
          plannedHighKw: planned[node]?.high ?? 0,
          plannedLowKw: planned[node]?.low ?? 0,
          highKw: (planned[node]?.high ?? 0) + (slacks[node]?.[0] ?? 0),
          lowKw: (planned[node]?.low ?? 0) - (slacks[node]?.[1] ?? 0),
        }));
        const { first, second } = publishOrder(moves, nodes);
        const failed = moves.filter(({ deviceId }) => first.includes(deviceId) && devices[Number(deviceId)]?.fails);
        const raises = moves.filter(({ deviceId }) => second.includes(deviceId));
        const withheld = raisesToWithhold({ nodes, moves: raises, unacknowledged: failed });

        const isDone = ({ deviceId }: Move) =>
          !withheld.has(deviceId) && !failed.some((move) => move.deviceId === deviceId);
        const actual = flows((move) => (isDone(move) ? move.toKw : move.fromHighKw));
        const sentRaises = raises.filter(isDone);
        nodes.forEach((node, at) => {
          const below = sentRaises.filter(({ feederId }) => ancestors(parentOf, Number(feederId)).includes(at));
          if ((actual[at]?.high ?? 0) > node.highKw + 1e-6) {
            expect(
              below.filter(({ deviceType, toKw, fromHighKw }) => deviceType !== 'pv' && toKw > fromHighKw),
            ).toEqual([]);
          }
          if ((actual[at]?.low ?? 0) < node.lowKw - 1e-6) {
            expect(below.filter(({ deviceType, toKw, fromLowKw }) => deviceType !== 'ev' && toKw < fromLowKw)).toEqual(
              [],
            );
          }
        });
      }),
      { numRuns: 1000 },
    );
  });

  const ancestors = (parentOf: readonly number[], node: number): number[] =>
    node < 0 ? [] : [node, ...ancestors(parentOf, parentOf[node] ?? -1)];
});
