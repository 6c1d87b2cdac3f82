import { real, whole } from './packed';

/** Stretches this short are sorted by inserting: quicker than merging them from single values. */
const INSERTED = 16;

/**
 * Sorts each stretch `order[starts[i]..starts[i + 1])` so that the levels it points at ascend; equal levels keep their
 * order.
 *
 * A merge sort that carries the keys along: a comparator called half a million times would cost more than the whole
 * solution. O(n log n) always; one set of scratch arrays serves all stretches.
 */
export function sortByLevel(order: Int32Array, levels: Float64Array, starts: Int32Array): void {
  let longest = 0;
  for (let i = 0; i + 1 < starts.length; i += 1) longest = Math.max(longest, whole(starts, i + 1) - whole(starts, i));
  const [a, b] = [sliceOf(longest), sliceOf(longest)];
  for (let i = 0; i + 1 < starts.length; i += 1) {
    const from = whole(starts, i);
    const count = whole(starts, i + 1) - from;
    for (let place = 0; place < count; place += 1) {
      const index = whole(order, from + place);
      a.order[place] = index;
      a.keys[place] = real(levels, index);
    }
    const sorted = sortSlice(a, b, count);
    for (let place = 0; place < count; place += 1) order[from + place] = whole(sorted.order, place);
  }
}

interface Slice {
  readonly order: Int32Array;
  readonly keys: Float64Array;
}

const sliceOf = (length: number): Slice => ({ order: new Int32Array(length), keys: new Float64Array(length) });

function sortSlice(first: Slice, second: Slice, count: number): Slice {
  let [source, target] = [first, second];
  for (let from = 0; from < count; from += INSERTED) insertInOrder(source, from, Math.min(from + INSERTED, count));
  for (let width = INSERTED; width < count; width *= 2) {
    for (let left = 0; left < count; left += 2 * width) {
      merge(source, target, left, Math.min(left + width, count), Math.min(left + 2 * width, count));
    }
    [source, target] = [target, source];
  }
  return source;
}

function insertInOrder({ order, keys }: Slice, from: number, to: number): void {
  for (let next = from + 1; next < to; next += 1) {
    const key = real(keys, next);
    const index = whole(order, next);
    let place = next;
    while (place > from && real(keys, place - 1) > key) {
      keys[place] = real(keys, place - 1);
      order[place] = whole(order, place - 1);
      place -= 1;
    }
    keys[place] = key;
    order[place] = index;
  }
}

function merge(source: Slice, target: Slice, from: number, middle: number, to: number): void {
  let left = from;
  let right = middle;
  for (let place = from; place < to; place += 1) {
    const takeLeft = left < middle && (right >= to || real(source.keys, left) <= real(source.keys, right));
    const taken = takeLeft ? left++ : right++;
    target.keys[place] = real(source.keys, taken);
    target.order[place] = whole(source.order, taken);
  }
}
