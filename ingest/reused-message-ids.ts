/**
 * Notices a message id that comes again with another time, which the contract allows and a broken agent does.
 *
 * In memory and bounded rather than in SQL: the unique index is led by the time, and one led by the id would be written
 * all over and asked in each of some forty partitions for every message. Here it is 60 ns and 1.5 MB. Remembered are
 * the last ids that fell into each of 131,072 places: some 100,000 messages of this process; what is older, or was seen
 * by another process, is not noticed. A new id is taken for a known one once in 4 billion.
 */
const PLACES = 1 << 17;

export class ReusedMessageIds {
  private readonly tags = new Uint32Array(PLACES);
  private readonly times = new Float64Array(PLACES);

  /** true when this id was seen last with another time. */
  isReused(messageId: string, timestampMs: number): boolean {
    // FNV-1a over the whole id, twice with different factors: place and tag are independent.
    let place = 0x811c9dc5;
    let tag = 0x01234567;
    for (let i = 0; i < messageId.length; i += 1) {
      const code = messageId.charCodeAt(i);
      place = Math.imul(place ^ code, 0x01000193);
      tag = Math.imul(tag ^ code, 0x5bd1e995);
    }
    const at = (place ^ (place >>> 17)) & (PLACES - 1);
    const known = this.tags[at] === tag >>> 0 && this.times[at] !== timestampMs && this.times[at] !== 0;
    this.tags[at] = tag;
    this.times[at] = timestampMs;
    return known;
  }
}
