import { real, whole } from './packed';

/**
 * Sorts `order[from..to)` so that the levels it points at ascend; equal levels keep their order.
 *
 * A merge sort that carries the keys along: a comparator called half a million times would cost more than
 * the whole solution. O(n log n) always.
 */
export function sortByLevel(order: Int32Array, levels: Float64Array, from: number, to: number): void {
  const count = to - from;
  let source: Slice = { order: order.subarray(from, to), keys: new Float64Array(count) };
  for (let i = 0; i < count; i += 1) source.keys[i] = real(levels, whole(source.order, i));
  let target: Slice = { order: new Int32Array(count), keys: new Float64Array(count) };
  for (let width = 1; width < count; width *= 2) {
    for (let left = 0; left < count; left += 2 * width) {
      merge(source, target, left, Math.min(left + width, count), Math.min(left + 2 * width, count));
    }
    [source, target] = [target, source];
  }
  order.set(source.order, from);
}

interface Slice {
  readonly order: Int32Array;
  readonly keys: Float64Array;
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
