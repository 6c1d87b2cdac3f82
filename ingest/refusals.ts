import type { Refusal, RefusalReason } from '../contracts/envelope';
import type { RefusedSample, SenderCount } from './ports';
import { RefusedSenders } from './refused-senders';

const MINUTE_MS = 60_000;
const PER_REASON_AND_MINUTE = 10;
/** More of a message is not kept, so that nobody fills our memory with what we refuse. */
const KEPT_BYTES = 1_024;

/** Counts what is refused, by reason and by sender, and picks what is worth keeping: the first few of each reason in each minute. */
export class Refusals {
  private readonly counts = new Map<RefusalReason, number>();
  private samples: RefusedSample[] = [];
  private minute = 0;
  private readonly kept = new Map<RefusalReason, number>();
  private readonly senders: RefusedSenders;

  constructor(topicPrefix: string) {
    this.senders = new RefusedSenders(topicPrefix);
  }

  note({ refused, detail }: Refusal, topic: string, payload: Buffer, nowMs = Date.now()): void {
    this.counts.set(refused, (this.counts.get(refused) ?? 0) + 1);
    this.senders.note(refused, topic);
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.minute) {
      this.minute = minute;
      this.kept.clear();
    }
    const kept = this.kept.get(refused) ?? 0;
    if (kept >= PER_REASON_AND_MINUTE) return;
    this.kept.set(refused, kept + 1);
    this.samples.push({ reason: refused, detail, topic, payload: Buffer.from(payload.subarray(0, KEPT_BYTES)) });
  }

  /** By reason, since the last call. */
  takeCounts(): readonly [RefusalReason, number][] {
    const taken = [...this.counts];
    this.counts.clear();
    return taken;
  }

  /** By sender, every two seconds or so. */
  takeSenders(): readonly SenderCount[] {
    return this.senders.takeDue();
  }

  /** Those picked since the last call. */
  takeSamples(): readonly RefusedSample[] {
    const taken = this.samples;
    this.samples = [];
    return taken;
  }
}
