import { real, whole } from './packed';

/**
 * Sorted runs of breakpoints, joined as one walks up the tree without ever merging them.
 *
 * A run is a stretch of the sorted breakpoints; a node owns several, in two leftist heaps: one hands out the
 * highest breakpoint, the other the lowest. What is taken from either end is gone for good, so all nodes
 * together take each breakpoint at most once: O(n log nodes) whatever the depth of the tree.
 * A run that one heap has emptied is dropped by the other when it comes up.
 */
export class BreakpointRuns {
  private readonly first: Int32Array;
  private readonly last: Int32Array;
  private readonly highest: LeftistLinks;
  private readonly lowest: LeftistLinks;
  private count = 0;

  constructor(
    private readonly levels: Float64Array,
    capacity: number,
  ) {
    this.first = new Int32Array(capacity);
    this.last = new Int32Array(capacity);
    this.highest = leftistLinks(capacity);
    this.lowest = leftistLinks(capacity);
  }

  /** A run over the breakpoints from `first` to `last` inclusive, as a heap of its own; -1 when it is empty. */
  add(first: number, last: number): number {
    if (last < first) return -1;
    this.first[this.count] = first;
    this.last[this.count] = last;
    this.count += 1;
    return this.count - 1;
  }

  /** Joins two heaps of the same end; either may be -1. */
  join(end: RunEnd, a: number, b: number): number {
    const links = end === 'highest' ? this.highest : this.lowest;
    let left = a;
    let right = b;
    let path = -1;
    while (left >= 0 && right >= 0) {
      if (this.precedes(end, right, left)) [left, right] = [right, left];
      links.parent[left] = path;
      path = left;
      left = whole(links.right, left);
    }
    let joined = left >= 0 ? left : right;
    while (path >= 0) {
      links.right[path] = joined;
      restoreBalance(links, path);
      joined = path;
      path = whole(links.parent, path);
    }
    return joined;
  }

  /** Drops emptied runs from the top of a heap; -1 when nothing is left. */
  settle(end: RunEnd, heap: number): number {
    let top = heap;
    while (top >= 0 && whole(this.first, top) > whole(this.last, top)) top = this.without(end, top);
    return top;
  }

  /** The breakpoint at that end of a settled, non-empty heap. */
  peek(end: RunEnd, heap: number): number {
    return end === 'highest' ? whole(this.last, heap) : whole(this.first, heap);
  }

  /** Takes the breakpoint that `peek` shows; answers the heap that remains, settled. */
  take(end: RunEnd, heap: number): number {
    if (end === 'highest') this.last[heap] = whole(this.last, heap) - 1;
    else this.first[heap] = whole(this.first, heap) + 1;
    const isEmptied = whole(this.first, heap) > whole(this.last, heap);
    if (!isEmptied && this.isStillFirst(end, heap)) return heap;
    const rest = this.without(end, heap);
    return this.settle(end, isEmptied ? rest : this.join(end, heap, rest));
  }

  /** The usual case: what follows in the run comes before all other runs too, and the heap stays as it is. */
  private isStillFirst(end: RunEnd, heap: number): boolean {
    const links = end === 'highest' ? this.highest : this.lowest;
    const left = whole(links.left, heap);
    const right = whole(links.right, heap);
    return (left < 0 || !this.precedes(end, left, heap)) && (right < 0 || !this.precedes(end, right, heap));
  }

  private without(end: RunEnd, top: number): number {
    const links = end === 'highest' ? this.highest : this.lowest;
    const rest = this.join(end, whole(links.left, top), whole(links.right, top));
    links.left[top] = -1;
    links.right[top] = -1;
    links.rank[top] = 1;
    return rest;
  }

  private precedes(end: RunEnd, a: number, b: number): boolean {
    const levelA = real(this.levels, this.peek(end, a));
    const levelB = real(this.levels, this.peek(end, b));
    return end === 'highest' ? levelA > levelB : levelA < levelB;
  }
}

export type RunEnd = 'highest' | 'lowest';

interface LeftistLinks {
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly rank: Int32Array;
  /** Only while two heaps are joined: the way back up. */
  readonly parent: Int32Array;
}

function leftistLinks(capacity: number): LeftistLinks {
  return {
    left: new Int32Array(capacity).fill(-1),
    right: new Int32Array(capacity).fill(-1),
    rank: new Int32Array(capacity).fill(1),
    parent: new Int32Array(capacity).fill(-1),
  };
}

/** Keeps the shorter way to an empty place on the right, which is what bounds a join to O(log n). */
function restoreBalance(links: LeftistLinks, run: number): void {
  const left = whole(links.left, run);
  const right = whole(links.right, run);
  const leftRank = left < 0 ? 0 : whole(links.rank, left);
  const rightRank = right < 0 ? 0 : whole(links.rank, right);
  if (leftRank < rightRank) {
    links.left[run] = right;
    links.right[run] = left;
  }
  links.rank[run] = Math.min(leftRank, rightRank) + 1;
}
