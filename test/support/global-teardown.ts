/** Stops the servers when the last kind of test is done with them. */
export default async function globalTeardown(): Promise<void> {
  const shared = globalThis.dermsTestStack;
  if (shared === undefined) return;
  shared.users -= 1;
  if (shared.users > 0) return;
  globalThis.dermsTestStack = undefined;
  await shared.pooler?.stop({ graceMs: 1_000 });
  await (await shared.stack).stop();
}
