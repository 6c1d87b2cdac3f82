import { addTo, real, whole } from '../allocation/packed';
import { DermsError } from '../errors';
import type { FeederNode } from '../fleet';
import { byText } from '../in-words';

/** A checked tree: the root first, parents before children, children in the order of their ids. */
export interface FeederTree {
  readonly nodes: readonly FeederNode[];
  /** Index of each node's parent; -1 for the root. */
  readonly parentOf: Int32Array;
  readonly indexOf: ReadonlyMap<string, number>;
  /** Number of levels of the tree; 1 when the root is alone. */
  readonly depth: number;
}

/**
 * Orders the feeders so that one loop from the end sums upwards and one from the start passes downwards.
 *
 * @throws {DermsError} `FEEDER_TREE_INVALID` naming the node: none or several roots, an unknown parent, a circle, an id
 * used twice.
 */
export function feederTree(feeders: readonly FeederNode[]): FeederTree {
  const children = childrenByParent(feeders);
  const roots = feeders.filter(({ parentId }) => parentId === null);
  const [root] = roots;
  if (root === undefined) throw invalid('the tree has no root: every feeder has a parent');
  if (roots.length > 1) throw invalid(`the tree has ${String(roots.length)} roots: ${named(roots)}`);

  const nodes: FeederNode[] = [root];
  const parents: number[] = [-1];
  const depths: number[] = [1];
  for (let index = 0; index < nodes.length; index += 1) {
    for (const child of children.get(nodes[index]?.feederId ?? '') ?? []) {
      nodes.push(child);
      parents.push(index);
      depths.push((depths[index] ?? 0) + 1);
    }
  }
  if (nodes.length < feeders.length)
    throw invalid(`feeders that hang in a circle: ${named(unreached(feeders, nodes))}`);
  return {
    nodes,
    parentOf: Int32Array.from(parents),
    indexOf: new Map(nodes.map(({ feederId }, index) => [feederId, index])),
    depth: depths.at(-1) ?? 1,
  };
}

/** Adds each node's own values to all its ancestors, in place. */
export function sumUpwards({ parentOf }: FeederTree, values: Float64Array): Float64Array {
  for (let node = parentOf.length - 1; node > 0; node -= 1) addTo(values, whole(parentOf, node), real(values, node));
  return values;
}

function childrenByParent(feeders: readonly FeederNode[]): Map<string, FeederNode[]> {
  const known = new Set<string>();
  for (const { feederId } of feeders) {
    if (known.has(feederId)) throw invalid(`feeder ${feederId} is listed twice`);
    known.add(feederId);
  }
  const children = new Map<string, FeederNode[]>();
  for (const feeder of [...feeders].sort((a, b) => byText(a.feederId, b.feederId))) {
    if (feeder.parentId === null) continue;
    if (!known.has(feeder.parentId)) {
      throw invalid(`feeder ${feeder.feederId} hangs on ${feeder.parentId}, which is not in the tree`);
    }
    const siblings = children.get(feeder.parentId);
    if (siblings === undefined) children.set(feeder.parentId, [feeder]);
    else siblings.push(feeder);
  }
  return children;
}

function unreached(feeders: readonly FeederNode[], reached: readonly FeederNode[]): FeederNode[] {
  const ids = new Set(reached.map(({ feederId }) => feederId));
  return feeders.filter(({ feederId }) => !ids.has(feederId));
}

const named = (feeders: readonly FeederNode[]): string =>
  feeders
    .map(({ feederId }) => feederId)
    .sort(byText)
    .join(', ');

const invalid = (message: string): DermsError => new DermsError('FEEDER_TREE_INVALID', message);
