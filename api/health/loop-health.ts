/** A loop is well while its last finished cycle is younger than three intervals, or 30 s where intervals are short. */
export const isLoopOk = (
  { enabled, intervalSeconds }: { readonly enabled: boolean; readonly intervalSeconds: number },
  finishedAgeSeconds: number | null,
): boolean => enabled && finishedAgeSeconds !== null && finishedAgeSeconds < Math.max(3 * intervalSeconds, 30);
