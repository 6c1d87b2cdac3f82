/**
 * Reads bytes that arrive in pieces of any size by a generator that says what it wants next: `yield 8` gives the next
 * eight bytes as one Buffer, `yield { skip: n }` passes over n and gives an empty one. The generator thus reads top to
 * bottom like code over a whole file, while no more than the wanted bytes are ever held.
 */
export type Want = number | { readonly skip: number };
export type ByteStory<Result> = Generator<Want, Result, Buffer>;

const NOTHING = Buffer.alloc(0);

export class ByteWalk<Result> {
  private held: Buffer[] = [];
  private heldBytes = 0;
  private want: IteratorResult<Want, Result>;
  private toSkip = 0;

  constructor(private readonly story: ByteStory<Result>) {
    this.want = story.next();
    this.noteSkip();
  }

  /** Gives the next piece; throws what the story throws about it. */
  push(piece: Uint8Array): void {
    let rest = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    const skipped = Math.min(this.toSkip, rest.length);
    this.toSkip -= skipped;
    rest = rest.subarray(skipped);
    if (rest.length > 0) {
      this.held.push(rest);
      this.heldBytes += rest.length;
    }
    this.goOn();
  }

  /** What the story came to, or null when it still wants bytes; those it has not taken are in `leftBytes`. */
  get result(): Result | null {
    return this.want.done === true ? this.want.value : null;
  }

  /** Bytes that arrived and were not asked for (yet). */
  get leftBytes(): number {
    return this.heldBytes;
  }

  private goOn(): void {
    while (this.want.done !== true) {
      if (typeof this.want.value === 'number') {
        if (this.heldBytes < this.want.value) return;
        this.want = this.story.next(this.take(this.want.value));
      } else {
        if (this.toSkip > 0) return;
        this.want = this.story.next(NOTHING);
      }
      this.noteSkip();
    }
  }

  private noteSkip(): void {
    if (this.want.done === true || typeof this.want.value === 'number') return;
    const here = Math.min(this.want.value.skip, this.heldBytes);
    this.toSkip = this.want.value.skip - here;
    this.take(here);
  }

  private take(bytes: number): Buffer {
    const first = this.held[0];
    if (bytes === 0 || first === undefined) return NOTHING;
    if (first.length < bytes) this.held = [Buffer.concat(this.held)];
    const whole = this.held[0] ?? NOTHING;
    if (whole.length === bytes) this.held.shift();
    else this.held[0] = whole.subarray(bytes);
    this.heldBytes -= bytes;
    return whole.subarray(0, bytes);
  }
}
