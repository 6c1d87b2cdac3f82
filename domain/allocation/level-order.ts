import { real, whole } from './packed';

/** Up to this many are sorted by insertion, which is quicker than anything else for a few. */
const FEW = 24;

/**
 * Sorts stretches of breakpoints by level, one after the other, in memory that is allocated once.
 *
 * Levels are thrown into as many buckets of equal width as there are levels, which leaves little to sort. Where they
 * crowd into one bucket they are merged instead. So it is O(n) for levels that are spread and O(n log n) always.
 * Equal levels keep their order.
 */
export class LevelOrder {
  private readonly order: Int32Array;
  private readonly bucketOf: Int32Array;
  private readonly ends: Int32Array;
  private readonly spare: Int32Array;
  private readonly unsorted: Float64Array;

  /** `longest`: the most levels that a stretch has. */
  constructor(longest: number) {
    this.order = new Int32Array(longest);
    this.bucketOf = new Int32Array(longest);
    this.ends = new Int32Array(longest);
    this.spare = new Int32Array(longest);
    this.unsorted = new Float64Array(longest);
  }

  /** Finds the order in which `levels[from..to)` ascend. */
  find(levels: Float64Array, from: number, to: number): void {
    const count = to - from;
    if (count <= FEW) for (let i = 0; i < count; i += 1) this.order[i] = from + i;
    else this.mergeCrowds(levels, this.throwIntoBuckets(levels, from, count));
    this.insert(levels, count);
  }

  /** Brings `values[from..to)` into the order found last. */
  apply(values: Float64Array, from: number, to: number): void {
    const { order, unsorted } = this;
    const count = to - from;
    for (let i = 0; i < count; i += 1) unsorted[i] = real(values, whole(order, i));
    for (let i = 0; i < count; i += 1) values[from + i] = real(unsorted, i);
  }

  /** Puts the levels of lower buckets before those of higher ones; `ends` has where each of the buckets ends. */
  private throwIntoBuckets(levels: Float64Array, from: number, count: number): number {
    let least = Infinity;
    let most = -Infinity;
    for (let i = 0; i < count; i += 1) {
      const level = real(levels, from + i);
      if (level < least) least = level;
      if (level > most) most = level;
    }
    const perLevel = (count - 1) / (most - least);
    const { order, bucketOf, ends } = this;
    if (!Number.isFinite(perLevel)) {
      for (let i = 0; i < count; i += 1) order[i] = from + i;
      ends[0] = count;
      return 1;
    }
    ends.fill(0, 0, count);
    for (let i = 0; i < count; i += 1) {
      const bucket = Math.floor((real(levels, from + i) - least) * perLevel);
      bucketOf[i] = bucket;
      ends[bucket] = whole(ends, bucket) + 1;
    }
    let start = 0;
    for (let bucket = 0; bucket < count; bucket += 1) {
      const size = whole(ends, bucket);
      ends[bucket] = start;
      start += size;
    }
    for (let i = 0; i < count; i += 1) {
      const bucket = whole(bucketOf, i);
      const place = whole(ends, bucket);
      order[place] = from + i;
      ends[bucket] = place + 1; // where the next of this bucket goes; its end after the last
    }
    return count;
  }

  private mergeCrowds(levels: Float64Array, buckets: number): void {
    let start = 0;
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      const end = whole(this.ends, bucket);
      if (end - start > FEW) this.merge(levels, start, end);
      start = end;
    }
  }

  /** Over all buckets at once: nothing moves further than its bucket reaches. */
  private insert(levels: Float64Array, count: number): void {
    const { order } = this;
    let before = -Infinity;
    for (let i = 0; i < count; i += 1) {
      const inserted = whole(order, i);
      const level = real(levels, inserted);
      if (level >= before) {
        before = level;
        continue;
      }
      let place = i;
      while (place > 0 && real(levels, whole(order, place - 1)) > level) {
        order[place] = whole(order, place - 1);
        place -= 1;
      }
      order[place] = inserted;
    }
  }

  /** Bottom-up; two stretches that are in order already are left as they are, so many equal levels cost little. */
  private merge(levels: Float64Array, start: number, end: number): void {
    const { order } = this;
    for (let width = 1; width < end - start; width *= 2) {
      for (let left = start; left + width < end; left += 2 * width) {
        const middle = left + width;
        const isInOrder = real(levels, whole(order, middle - 1)) <= real(levels, whole(order, middle));
        if (!isInOrder) this.mergeTwo(levels, left, middle, Math.min(middle + width, end));
      }
    }
  }

  private mergeTwo(levels: Float64Array, left: number, middle: number, end: number): void {
    const { order, spare } = this;
    const count = middle - left;
    for (let i = 0; i < count; i += 1) spare[i] = whole(order, left + i);
    let low = 0;
    let high = middle;
    for (let place = left; low < count; place += 1) {
      const takeHigh = high < end && real(levels, whole(order, high)) < real(levels, whole(spare, low));
      order[place] = takeHigh ? whole(order, high++) : whole(spare, low++);
    }
  }
}
