/**
 * Access to typed arrays whose index is known to be inside: a wrong index gives NaN or -1, which no
 * comparison accepts, instead of `undefined`, which the compiler would ask about at every step.
 */

/** The number at `index`; NaN outside. */
export const real = (values: Float64Array, index: number): number => values[index] ?? NaN;

/** The index stored at `index`; -1 outside, which stands for "none" everywhere in this folder. */
export const whole = (values: Int32Array, index: number): number => values[index] ?? -1;

/** Adds `amount` in place. */
export function addTo(values: Float64Array, index: number, amount: number): void {
  values[index] = real(values, index) + amount;
}
