/**
 * Does something to all items at once; when that is refused for one item's fault, halves them until the culprit is
 * alone. One bad item among n costs about 2 log2(n) attempts more and none of the others anything.
 *
 * @param attempt answers null when it is done, or why it was refused as a whole.
 */
export async function inParts<T>(
  items: readonly T[],
  attempt: (part: readonly T[]) => Promise<string | null>,
  onCulprit: (item: T, detail: string) => void,
): Promise<void> {
  const [first] = items;
  if (first === undefined) return;
  const detail = await attempt(items);
  if (detail === null) return;
  if (items.length === 1) {
    onCulprit(first, detail);
    return;
  }
  const middle = items.length >> 1;
  await inParts(items.slice(0, middle), attempt, onCulprit);
  await inParts(items.slice(middle), attempt, onCulprit);
}
