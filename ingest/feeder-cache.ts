import type { WireRegistry } from './ports';

/** A feeder that was added is known at once, one that was removed after this, ms. */
const FRESH_MS = 30_000;

/** Which feeders there are, for meters. */
export class FeederCache {
  private readonly freshUntil = new Map<string, number>();

  constructor(
    private readonly registry: WireRegistry,
    private readonly retry: <T>(work: () => Promise<T>) => Promise<T>,
  ) {}

  /** Asks for those that are not known. */
  async identify(feederIds: Iterable<string>): Promise<void> {
    const now = performance.now();
    const unknown = new Set<string>();
    for (const feederId of feederIds) if ((this.freshUntil.get(feederId) ?? 0) < now) unknown.add(feederId);
    if (unknown.size === 0) return;
    const found = await this.retry(() => this.registry.findFeeders([...unknown]));
    for (const feederId of unknown) this.freshUntil.delete(feederId);
    for (const feederId of found) this.freshUntil.set(feederId, now + FRESH_MS);
  }

  has(feederId: string): boolean {
    return this.freshUntil.has(feederId);
  }

  forget(feederIds: Iterable<string>): void {
    for (const feederId of feederIds) this.freshUntil.delete(feederId);
  }
}
