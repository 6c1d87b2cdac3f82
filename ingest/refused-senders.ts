import type { RefusalReason } from '../contracts/envelope';
import type { SenderCount } from './ports';

/** In one report; whoever comes after these is counted under {@link OTHERS}. */
const MOST_SENDERS = 1_000;
export const OTHERS = '(others)';
/** Longest name of a sender that is kept; ids have 128 characters at most. */
const NAME_LENGTH = 160;
const REPORT_EVERY_MS = 2_000;

interface Counted {
  readonly sender: string;
  readonly reason: RefusalReason;
  messages: number;
}

/**
 * Who sends what is refused, and how fast: by the end of the topic, which is what the broker let them write to. Bounded,
 * whatever strangers make up.
 */
export class RefusedSenders {
  private counts = new Map<string, Counted>();
  private sinceMs = performance.now();

  constructor(private readonly topicPrefix: string) {}

  note(reason: RefusalReason, topic: string): void {
    const sender = this.senderOf(topic);
    const key = `${reason} ${sender}`;
    if (this.counts.size < MOST_SENDERS || this.counts.has(key)) this.count(key, sender, reason);
    else this.count(`${reason} ${OTHERS}`, OTHERS, reason);
  }

  /** Those since the last report; none while it is too young. */
  takeDue(): readonly SenderCount[] {
    const now = performance.now();
    if (this.counts.size === 0 || now - this.sinceMs < REPORT_EVERY_MS) return [];
    const seconds = (now - this.sinceMs) / 1_000;
    const due = [...this.counts.values()].map((counted) => ({ ...counted, perSecond: counted.messages / seconds }));
    this.counts = new Map();
    this.sinceMs = now;
    return due;
  }

  private count(key: string, sender: string, reason: RefusalReason): void {
    const known = this.counts.get(key);
    if (known === undefined) this.counts.set(key, { sender, reason, messages: 1 });
    else known.messages += 1;
  }

  private senderOf(topic: string): string {
    const own = topic.startsWith(`${this.topicPrefix}/`) ? topic.slice(this.topicPrefix.length + 1) : topic;
    return own.slice(0, NAME_LENGTH);
  }
}
