/** Numbers in [0, 1), the same ones for the same seed. */
export type Random = () => number;

/**
 * A stream of its own for each name under a seed, so that what one device draws never shifts what another one gets.
 *
 * mulberry32: 32 bits of state, far from cryptographic and quite enough for weather.
 */
export function randomStream(seed: number, name: string): Random {
  let state = hashOf(`${String(seed)}/${name}`);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const between = (random: Random, [low, high]: readonly [number, number]): number =>
  low + (high - low) * random();

/** Mean 0, deviation 1 (Box and Muller). */
export const gaussian = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/**
 * One step of a value that wanders around 0 with deviation 1 and forgets its past in about `memorySeconds`.
 * Exact for any step length, so that a faster sun sees the same kind of weather.
 */
export function wander(value: number, seconds: number, memorySeconds: number, random: Random): number {
  const kept = Math.exp(-seconds / memorySeconds);
  return value * kept + Math.sqrt(1 - kept * kept) * gaussian(random);
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash | 0;
}
