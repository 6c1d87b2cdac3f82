/**
 * An allocation as a linear or quadratic program in the CPLEX LP format, for the solver that ours is held against.
 *
 * Each stretch of a device's curve is a variable that may move it away from its want; the flow of each node is a variable
 * within its limits. So a node is one row over its own devices and the flows of its children, which HiGHS solves three
 * times as fast as rows over all devices below. What a stretch costs is up to the caller: any cost that rises with the
 * level has the same optimum.
 */

/** A stretch of a device's curve, counted from its want outwards. */
export interface Stretch {
  /** 1 takes more, -1 takes less than the want. */
  readonly sign: 1 | -1;
  /** Levels at its ends, both >= 0, the nearer to level 0 first. */
  readonly fromLevel: number;
  readonly toLevel: number;
  readonly kw: number;
}

export interface ModelDevice {
  readonly node: number;
  readonly wantKw: number;
  readonly stretches: readonly Stretch[];
}

export interface TreeModel {
  /** Parent of each node; -1 for node 0. */
  readonly parents: readonly number[];
  readonly high: readonly number[];
  readonly low: readonly number[];
  readonly devices: readonly ModelDevice[];
}

/** Cost of moving by `kw` in a stretch: linear x kw + quadratic x kw² / 2. */
export interface StretchCost {
  readonly linear: number;
  readonly quadratic: number;
}

/** The program's text; `costOf` prices each stretch. */
export function programOf(
  { parents, high, low, devices }: TreeModel,
  costOf: (stretch: Stretch) => StretchCost,
): string {
  const linear: string[] = [];
  const quadratic: string[] = [];
  const bounds: string[] = [];
  const sums: string[][] = parents.map((_, node) => [`f${String(node)}`]);
  const wants = parents.map(() => 0);
  parents.forEach((parent, node) => {
    if (parent >= 0) sums[parent]?.push(`- f${String(node)}`);
    bounds.push(`${numberText(low[node] ?? -Infinity)} <= f${String(node)} <= ${numberText(high[node] ?? Infinity)}`);
  });
  devices.forEach(({ node, wantKw, stretches }, device) => {
    wants[node] = (wants[node] ?? 0) + wantKw;
    stretches.forEach((stretch, place) => {
      const name = `s${String(device)}_${String(place)}`;
      const cost = costOf(stretch);
      if (cost.linear !== 0) linear.push(`+ ${numberText(cost.linear)} ${name}`);
      if (cost.quadratic !== 0) quadratic.push(`+ ${numberText(cost.quadratic)} ${name} ^ 2`);
      sums[node]?.push(`${stretch.sign > 0 ? '-' : '+'} ${name}`);
      bounds.push(`0 <= ${name} <= ${numberText(stretch.kw)}`);
    });
  });
  const squares = quadratic.length === 0 ? [] : [`+ [ ${inLines(quadratic)} ] / 2`];
  return [
    'Minimize',
    ` cost: ${inLines(linear.length + squares.length === 0 ? ['0 f0'] : [...linear, ...squares])}`,
    'Subject To',
    ...sums.map((terms, node) => ` n${String(node)}: ${inLines(terms)} = ${numberText(wants[node] ?? 0)}`),
    'Bounds',
    ...bounds.map((bound) => ` ${bound}`),
    'End',
  ].join('\n');
}

/** The format takes no line over 560 characters. */
function inLines(terms: readonly string[]): string {
  const lines: string[] = [];
  for (let from = 0; from < terms.length; from += 10) lines.push(terms.slice(from, from + 10).join(' '));
  return lines.join('\n  ');
}

const numberText = (value: number): string =>
  value === Infinity ? 'inf' : value === -Infinity ? '-inf' : String(value);
