/** Moves `fromKw` towards `toKw`, at most `rampKwPerS` for `seconds`. */
export function ramped(fromKw: number, toKw: number, rampKwPerS: number, seconds: number): number {
  const mostKw = rampKwPerS * seconds;
  return Math.abs(toKw - fromKw) <= mostKw ? toKw : fromKw + Math.sign(toKw - fromKw) * mostKw;
}
