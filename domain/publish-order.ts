/**
 * Which setpoints go out first, and which must wait when a first one was not acknowledged.
 *
 * A plan holds every limit once all of it is in force. On the way there it need not: power that one device is to take
 * over must first be given up by another. So cuts go first, and a raise under a node that would be over its limit
 * without the cuts that failed is withheld; the next cycle sends it again.
 */
import { DermsError } from './errors';
import type { DeviceType } from './fleet';

/**
 * A setpoint on its way: from where the device may stand now (acknowledged, sent since, measured) to its target, kW,
 * import positive.
 */
export interface Move {
  readonly deviceId: string;
  readonly deviceType: DeviceType;
  readonly feederId: string;
  readonly fromHighKw: number;
  readonly fromLowKw: number;
  readonly toKw: number;
}

/** A node of the plan that is being published: its limits in force and its planned flow, kW, import positive. */
export interface MoveNode {
  readonly feederId: string;
  readonly parentId: string | null;
  readonly highKw: number;
  readonly lowKw: number;
  readonly plannedHighKw: number;
  readonly plannedLowKw: number;
}

/**
 * Splits device ids into those to send first and those to send once these are acknowledged, each in the order given.
 *
 * An EV's lower allowance and a PV's tighter cap are cuts, their opposites raises: neither makes power flow the other
 * way. A battery moves both sides, so its move is a cut when it relieves the limit above it that has the least slack
 * in the plan; less import counts when both sides have the same.
 *
 * @throws {DermsError} `FEEDER_TREE_INVALID` for a move under a node that is not in the list.
 */
export function publishOrder(
  moves: readonly Move[],
  nodes: readonly MoveNode[],
): { readonly first: string[]; readonly second: string[] } {
  const above = nodesAbove(nodes);
  const first: string[] = [];
  const second: string[] = [];
  for (const move of moves) (isCut(move, above(move)) ? first : second).push(move.deviceId);
  return { first, second };
}

/**
 * The second moves that must not be sent, given the first ones that were not acknowledged.
 *
 * A device whose first move was not acknowledged counts at the worse of old and new, one that is withheld stays where
 * it was. Any node that would be over a limit with that, or further over than the plan itself is, withholds the
 * second moves below it that worsen that side.
 */
export function raisesToWithhold({ nodes, moves, unacknowledged }: RaiseQuestion): ReadonlySet<string> {
  const above = nodesAbove(nodes);
  const excess = new Map(nodes.map(({ feederId }) => [feederId, { highKw: 0, lowKw: 0 }]));
  const countAsFailed = (move: Move) => {
    for (const { feederId } of above(move)) {
      const sums = excess.get(feederId);
      if (sums === undefined) continue;
      if (countsForImport(move)) sums.highKw += Math.max(0, move.fromHighKw - move.toKw);
      if (countsForExport(move)) sums.lowKw += Math.max(0, move.toKw - move.fromLowKw);
    }
  };
  unacknowledged.forEach(countAsFailed);

  const withheld = new Set<string>();
  for (;;) {
    const blocked = moves.filter((move) => !withheld.has(move.deviceId) && isBlocked(move, above(move), excess));
    if (blocked.length === 0) return withheld;
    for (const move of blocked) {
      withheld.add(move.deviceId);
      countAsFailed(move);
    }
  }
}

export interface RaiseQuestion {
  readonly nodes: readonly MoveNode[];
  /** The second moves, not yet sent. */
  readonly moves: readonly Move[];
  /** First moves that were sent and not acknowledged. */
  readonly unacknowledged: readonly Move[];
}

/** Sums that differ by less are equal: a thousandth of a watt. */
const ON_LIMIT_KW = 1e-6;

function isCut(move: Move, above: readonly MoveNode[]): boolean {
  if (!worsensImport(move) && !worsensExport(move)) return true;
  if (move.deviceType !== 'battery') return false;
  const importSlackKw = Math.min(...above.map(({ highKw, plannedHighKw }) => highKw - plannedHighKw));
  const exportSlackKw = Math.min(...above.map(({ lowKw, plannedLowKw }) => plannedLowKw - lowKw));
  return worsensImport(move) ? exportSlackKw < importSlackKw : importSlackKw <= exportSlackKw;
}

function isBlocked(
  move: Move,
  above: readonly MoveNode[],
  excess: ReadonlyMap<string, { readonly highKw: number; readonly lowKw: number }>,
): boolean {
  return above.some((node) => {
    const { highKw, lowKw } = excess.get(node.feederId) ?? { highKw: 0, lowKw: 0 };
    const isOverImport = highKw > ON_LIMIT_KW && node.plannedHighKw + highKw > node.highKw + ON_LIMIT_KW;
    const isOverExport = lowKw > ON_LIMIT_KW && node.plannedLowKw - lowKw < node.lowKw - ON_LIMIT_KW;
    return (isOverImport && worsensImport(move)) || (isOverExport && worsensExport(move));
  });
}

const worsensImport = (move: Move): boolean => countsForImport(move) && move.toKw > move.fromHighKw;
const worsensExport = (move: Move): boolean => countsForExport(move) && move.toKw < move.fromLowKw;
/** A cap on generation adds no import, an allowance to draw adds no export. */
const countsForImport = ({ deviceType }: Move): boolean => deviceType !== 'pv';
const countsForExport = ({ deviceType }: Move): boolean => deviceType !== 'ev';

/** The nodes above a device, its own included, up to the root. */
function nodesAbove(nodes: readonly MoveNode[]): (move: Move) => readonly MoveNode[] {
  const byId = new Map(nodes.map((node) => [node.feederId, node]));
  const paths = new Map<string, readonly MoveNode[]>();
  const pathFrom = (feederId: string): readonly MoveNode[] => {
    const path: MoveNode[] = [];
    for (let node = byId.get(feederId); node !== undefined; node = byId.get(node.parentId ?? '')) {
      if (path.length > nodes.length)
        throw new DermsError('FEEDER_TREE_INVALID', `feeder ${feederId} hangs in a circle`);
      path.push(node);
    }
    return path;
  };
  return ({ deviceId, feederId }) => {
    const path = paths.get(feederId) ?? pathFrom(feederId);
    paths.set(feederId, path);
    if (path.length > 0) return path;
    throw new DermsError(
      'FEEDER_TREE_INVALID',
      `device ${deviceId} hangs on feeder ${feederId}, which is not in the plan`,
    );
  };
}
