/** Asks once per key and `freshMs`: callers of the same moment share the question and its answer. */
export function remembered<T>(freshMs: number, ask: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const answers = new Map<string, { readonly atMs: number; readonly answer: Promise<T> }>();
  return (key) => {
    const known = answers.get(key);
    if (known !== undefined && performance.now() - known.atMs < freshMs) return known.answer;
    const answer = ask(key);
    answers.set(key, { atMs: performance.now(), answer });
    return answer;
  };
}
