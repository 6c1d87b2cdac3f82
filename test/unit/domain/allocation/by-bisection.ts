import { ancestorsOf, type PlainDevice, type PlainProblem } from './random-problems';

const HALVINGS = 90;

/**
 * An independent, slow solution of the same problem: the range of levels that each node permits is found by bisection,
 * from the leaves up, evaluating every device below each time.
 */
export function solvedByBisection(problem: PlainProblem): number[] {
  const { parents, devices } = problem;
  const levels = devices.flatMap(({ points }) => points.map(([level]) => level));
  const [start, end] = [Math.min(0, ...levels), Math.max(0, ...levels)];
  const ranges: [number, number][] = parents.map(() => [start, end]);
  const levelBelow = (device: PlainDevice, from: number, level: number): number => {
    const path = ancestorsOf(problem, device.node);
    const inside = path.slice(0, path.indexOf(from));
    return inside.reverse().reduce((at, node) => clamp(at, ranges[node] ?? [start, end]), level);
  };
  const sumAt = (node: number, level: number, counted: (device: PlainDevice, kw: number) => number): number =>
    devices
      .filter((device) => ancestorsOf(problem, device.node).includes(node))
      .reduce((sum, device) => sum + counted(device, powerAt(device, levelBelow(device, node, level))), 0);
  const forImport = ({ countsFromKw = -Infinity }: PlainDevice, kw: number) => Math.max(kw, countsFromKw);
  const forExport = ({ countsToKw = Infinity }: PlainDevice, kw: number) => Math.min(kw, countsToKw);

  for (let node = parents.length - 1; node >= 0; node -= 1) {
    const [high, low] = [(problem.high[node] ?? 0) + 1e-9, (problem.low[node] ?? 0) - 1e-9];
    const highest = bisect(start, end, (level) => sumAt(node, level, forImport) <= high);
    const lowest = -bisect(-highest, -start, (level) => sumAt(node, -level, forExport) >= low);
    ranges[node] = [lowest, highest];
  }
  return devices.map((device) => {
    const path = ancestorsOf(problem, device.node).reverse();
    return powerAt(
      device,
      path.reduce((level, node) => clamp(level, ranges[node] ?? [start, end]), 0),
    );
  });
}

/** Largest value at which `holds`, which is true below and false above; the smaller end when it holds nowhere. */
function bisect(from: number, to: number, holds: (value: number) => boolean): number {
  if (holds(to)) return to;
  let [good, bad] = [from, to];
  for (let i = 0; i < HALVINGS; i += 1) {
    const middle = (good + bad) / 2;
    if (holds(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

const clamp = (value: number, [low, high]: readonly [number, number]): number => Math.min(Math.max(value, low), high);

function powerAt({ points }: PlainDevice, level: number): number {
  const right = points.findIndex(([at]) => at >= level);
  const [rightLevel, rightKw] = points[right] ?? points.at(-1) ?? [0, 0];
  const [leftLevel, leftKw] = points[right - 1] ?? points[0] ?? [0, 0];
  if (right <= 0) return right === 0 ? rightKw : (points.at(-1)?.[1] ?? 0);
  return leftKw + ((rightKw - leftKw) * (level - leftLevel)) / (rightLevel - leftLevel);
}
