import type { TreeSnapshot } from '../fleet';
import { kwText } from '../in-words';
import type { DevicePlan, LimitInForce, NodePlan, TreePlan } from '../plan';

/** A node of a plan with what is left under its limits, and in words. */
export interface NodeWhy extends Omit<NodePlan, 'meteredUncontrolledKw'> {
  /** How far the planned flow is inside each limit, kW; negative when it is over. */
  readonly importSlackKw: number;
  readonly exportSlackKw: number;
  readonly words: readonly string[];
}

/** One per node, in the order of the plan. */
export function explainNodes({ feeders }: TreeSnapshot, plan: TreePlan): NodeWhy[] {
  const parentOf = new Map(feeders.map(({ feederId, parentId }) => [feederId, parentId]));
  const helpless = helplessBelow(plan, parentOf);
  return plan.nodes.map((planned) => {
    const node = factsOf(planned);
    return {
      ...node,
      importSlackKw: node.high.kw - node.plannedHighKw,
      exportSlackKw: node.plannedLowKw - node.low.kw,
      words: wordsOf(node, helpless.get(node.feederId) ?? NOBODY),
    };
  });
}

/** Without what is only kept for the next plan. */
const factsOf = (node: NodePlan): NodeFacts => ({
  feederId: node.feederId,
  high: node.high,
  low: node.low,
  claims: node.claims,
  measuredKw: node.measuredKw,
  plannedHighKw: node.plannedHighKw,
  plannedLowKw: node.plannedLowKw,
  uncontrolledHighKw: node.uncontrolledHighKw,
  uncontrolledLowKw: node.uncontrolledLowKw,
  meterStale: node.meterStale,
  binding: node.binding,
  missingKw: node.missingKw,
});

/** `import up to 60 kW (dispatch 6f96…)` */
export function limitText(side: 'import' | 'export', { kw, source }: LimitInForce): string {
  const amount = kwText(side === 'import' ? kw : 0 - kw);
  switch (source.kind) {
    case 'static':
      return `${side} up to ${amount} (static limit)`;
    case 'envelope':
      return `${side} up to ${amount} (envelope ${source.envelopeId} of ${source.publishedBy})`;
    case 'dispatch':
      return `${side} up to ${amount} (dispatch ${source.dispatchId})`;
  }
}

type NodeFacts = Omit<NodePlan, 'meteredUncontrolledKw'>;

function wordsOf(node: NodeFacts, helpless: Helpless): string[] {
  const { feederId, high, low, measuredKw, plannedHighKw, plannedLowKw, meterStale, missingKw, binding } = node;
  const words = [`${feederId} may ${limitText('import', high)} and ${limitText('export', low)}.`];
  const uncontrolled = span(node.uncontrolledLowKw, node.uncontrolledHighKw);
  words.push(`Planned: ${span(plannedLowKw, plannedHighKw)}, of which nobody controls ${uncontrolled}.`);
  if (binding !== 'none') words.push(`Its ${binding} limit holds devices back.`);
  if (meterStale) words.push('Its meter is stale: what nobody controls counts at its worst of the last hour.');
  if (measuredKw !== null) words.push(...meterWords(measuredKw, node));
  if (missingKw > 0) words.push(missingWords(node, helpless));
  return words;
}

function meterWords(measuredKw: number, { high, low }: NodeFacts): string[] {
  if (measuredKw > high.kw) return [`Its meter shows ${kwText(measuredKw)}, ${kwText(measuredKw - high.kw)} over.`];
  if (measuredKw < low.kw) return [`Its meter shows ${kwText(measuredKw)}, ${kwText(low.kw - measuredKw)} over.`];
  return [`Its meter shows ${kwText(measuredKw)}.`];
}

function missingWords(
  { missingKw, plannedHighKw, high, ...node }: NodeFacts,
  { silent, notFollowing }: Helpless,
): string {
  const importing = plannedHighKw > high.kw;
  const uncontrolledKw = importing ? node.uncontrolledHighKw : node.uncontrolledLowKw;
  const shares = [
    `${kwText(uncontrolledKw)} flow through what nobody controls`,
    ...shareOf(silent, 'silent or faulty'),
    ...shareOf(notFollowing, 'not following'),
  ];
  const what = node.low.kw === high.kw ? 'target' : importing ? 'import limit' : 'export limit';
  return `INFEASIBLE: it stays ${kwText(missingKw)} off its ${what} with all the help there is below it; ${shares.join(', ')}.`;
}

const shareOf = ({ devices, kw }: Share, what: string): string[] =>
  devices === 0 ? [] : [`${kwText(kw)} through ${String(devices)} ${devices === 1 ? 'device' : 'devices'} ${what}`];

const span = (lowKw: number, highKw: number): string =>
  Math.abs(highKw - lowKw) < 0.0005 ? kwText(highKw) : `${kwText(lowKw)} to ${kwText(highKw)}`;

interface Share {
  readonly devices: number;
  readonly kw: number;
}

/** What a plan cannot move below a node, besides what nobody controls. */
interface Helpless {
  readonly silent: Share;
  readonly notFollowing: Share;
}

const NO_SHARE: Share = { devices: 0, kw: 0 };
const NOBODY: Helpless = { silent: NO_SHARE, notFollowing: NO_SHARE };

function helplessBelow(plan: TreePlan, parentOf: ReadonlyMap<string, string | null>): Map<string, Helpless> {
  const found = new Map<string, Helpless>();
  for (const device of plan.devices) {
    const kind = helplessKind(device);
    if (kind === null) continue;
    for (let node: string | null = device.feederId; node !== null; node = parentOf.get(node) ?? null) {
      const before = found.get(node) ?? NOBODY;
      const { devices, kw } = before[kind];
      found.set(node, { ...before, [kind]: { devices: devices + 1, kw: kw + device.targetKw } });
    }
  }
  return found;
}

function helplessKind({ explanation: { note } }: DevicePlan): keyof Helpless | null {
  if (note === 'silent' || note === 'fault') return 'silent';
  return note === 'not-following' || note === 'off-setpoint' ? 'notFollowing' : null;
}
