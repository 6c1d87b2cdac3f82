/** At five attempts a second a broker that is away would fill the log with one line: it is told again each so often. */
const REPEAT_MS = 30_000;

/** Decides which of many equal errors are worth a line. */
export class RepeatedErrors {
  private message: string | null = null;
  private toldAt = -Infinity;
  private untold = 0;

  /** How often it happened since it was last told, or null when it need not be told now. */
  count(message: string, now = performance.now()): number | null {
    this.untold += 1;
    if (message === this.message && now - this.toldAt < REPEAT_MS) return null;
    const { untold } = this;
    this.message = message;
    this.toldAt = now;
    this.untold = 0;
    return untold;
  }

  /** It works again: the next error is news. */
  forget(): void {
    this.message = null;
    this.untold = 0;
  }
}
