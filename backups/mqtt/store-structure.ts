import { ByteWalk, type ByteStory } from './byte-walk';
import { readChunk, type Chunk } from './store-chunks';
import { StoreFault } from './store-fault';

/**
 * The structure of Mosquitto's persistence store (`mosquitto.db`, versions 5 and 6: Mosquitto 1.6 to 2.x), read while
 * its bytes pass by. It finds what the broker itself accepts in silence (an empty file) or refuses only when it is
 * started with it (a cut or zeroed one), and counts what a broker started on the copy must show.
 *
 * The file is 15 bytes of magic, four of a checksum that Mosquitto does not use, four of version, then chunks of type,
 * length and body up to the end. There is no mark at the end: a cut exactly between two chunks is found only by its
 * size, so give `expectedBytes` where the size is known.
 */
export interface StoreStructure {
  readonly counts: StoreCounts;
  /** When each retained message expires, s since the epoch; Infinity for those that never do. */
  readonly retainedExpiries: readonly number[];
  /** First levels of retained topics that `#` does not match, such as `$plant`. */
  readonly systemRoots: readonly string[];
  readonly sessions: readonly StoredSession[];
}

export interface StoreCounts {
  readonly bytes: number;
  readonly dbVersion: number;
  readonly messages: number;
  readonly retained: number;
  readonly sessions: number;
  /** Messages that wait for, or are half-way to, the clients of the sessions. */
  readonly queued: number;
  readonly subscriptions: number;
  /**
   * Messages that nothing in the store refers to: on their way to clients without a session at the moment of saving.
   * In the store of a quiet broker 0.
   */
  readonly unowned: number;
}

export interface StoredSession {
  readonly clientId: string;
  readonly username: string | null;
  /** s since the epoch; Infinity when it never does. */
  readonly expiresAt: number;
  /** Messages its client is sent when it comes back, and when each expires, s since the epoch. */
  readonly waiting: readonly number[];
}

/** Takes the bytes of a store as they pass; throws a `StoreFault` as soon as they cannot be one. */
export class StoreWalker {
  private bytes = 0;
  private readonly facts = new StoreFacts();
  private readonly walk = new ByteWalk(this.story());
  /** Where the chunk begins that is being read. */
  private at = 0;

  push(piece: Uint8Array): void {
    this.bytes += piece.byteLength;
    this.walk.push(piece);
  }

  /** To be called after the last byte; throws a `StoreFault` when the store ends in the middle or is not `expectedBytes` long. */
  end(expectedBytes?: number): StoreStructure {
    if (this.bytes === 0) throw new StoreFault('empty', 0, 'the store is a file of 0 bytes');
    if (expectedBytes !== undefined && expectedBytes !== this.bytes) {
      throw new StoreFault('cut', this.bytes, `${this.bytes} bytes arrived where the store has ${expectedBytes}`);
    }
    if (this.at !== this.bytes || this.facts.dbVersion === 0) {
      throw new StoreFault('cut', this.at, `it ends after ${this.bytes} bytes, in the middle of what begins here`);
    }
    return this.facts.structure(this.bytes);
  }

  private *story(): ByteStory<never> {
    this.facts.dbVersion = yield* readPreamble();
    this.at = PREAMBLE_BYTES;
    for (;;) {
      const { chunk, bytes } = yield* readChunk(this.at, this.facts.dbVersion);
      this.facts.add(chunk, this.at);
      this.at += bytes;
    }
  }
}

/** Walks a whole store. @throws {StoreFault} with reason and byte offset. */
export async function walkStore(
  store: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  expectedBytes?: number,
): Promise<StoreStructure> {
  const walker = new StoreWalker();
  for await (const piece of store) walker.push(piece);
  return walker.end(expectedBytes);
}

const MAGIC = Buffer.from('\0\xb5\0mosquitto db', 'latin1');
const PREAMBLE_BYTES = MAGIC.length + 8;
const KNOWN_VERSIONS = [5, 6];

function* readPreamble(): ByteStory<number> {
  const magic = yield MAGIC.length;
  if (magic.every((byte) => byte === 0)) throw new StoreFault('zeroed', 0, 'the store begins with zero bytes');
  if (!magic.equals(MAGIC)) throw new StoreFault('not-a-store', 0, 'it does not begin as a store of Mosquitto does');
  const rest = yield 8;
  const version = rest.readUInt32BE(4);
  if (KNOWN_VERSIONS.includes(version)) return version;
  const known = KNOWN_VERSIONS.join(' and ');
  throw new StoreFault('unknown-version', 19, `its version is ${version}; this program knows ${known}`);
}

/** Messages are named by 64 bits; small ones as numbers, which take a third of the memory. */
type MessageId = number | bigint;

interface KnownSession {
  readonly username: string | null;
  readonly expiresAt: number;
  readonly waiting: number[];
}

/** What the chunks say together. Holds about 60 bytes for each message of the store. */
class StoreFacts {
  dbVersion = 0;
  private configured = false;
  private readonly expiries = new Map<MessageId, number>();
  private readonly systemTopics = new Map<MessageId, string>();
  private readonly owned = new Set<MessageId>();
  private readonly retainedExpiries: number[] = [];
  private readonly systemRoots = new Set<string>();
  private readonly sessions = new Map<string, KnownSession>();
  private queued = 0;
  private subscriptions = 0;

  add(chunk: Chunk, at: number): void {
    if (this.configured !== (chunk.kind !== 'configuration')) {
      const what = this.configured ? 'a second configuration chunk' : `a chunk of kind ${chunk.kind} comes first`;
      throw new StoreFault('damaged', at, `${what}; a store has one configuration chunk, at its beginning`);
    }
    switch (chunk.kind) {
      case 'configuration':
        this.configured = true;
        return;
      case 'message':
        if (this.expiries.has(chunk.id)) throw new StoreFault('damaged', at, `message ${chunk.id} is there twice`);
        this.expiries.set(chunk.id, chunk.expiresAt);
        if (chunk.topic.startsWith('$')) this.systemTopics.set(chunk.id, chunk.topic);
        return;
      case 'retained':
        this.retain(chunk.messageId, at);
        return;
      case 'session':
        this.sessions.set(chunk.clientId, { username: chunk.username, expiresAt: chunk.expiresAt, waiting: [] });
        return;
      case 'queued':
        this.queue(chunk, at);
        return;
      case 'subscription':
        this.requireSession(chunk.clientId, at);
        this.subscriptions += 1;
        return;
    }
  }

  structure(bytes: number): StoreStructure {
    if (!this.configured) throw new StoreFault('cut', PREAMBLE_BYTES, 'it ends before its configuration chunk');
    return {
      counts: {
        bytes,
        dbVersion: this.dbVersion,
        messages: this.expiries.size,
        retained: this.retainedExpiries.length,
        sessions: this.sessions.size,
        queued: this.queued,
        subscriptions: this.subscriptions,
        unowned: this.expiries.size - this.owned.size,
      },
      retainedExpiries: this.retainedExpiries,
      systemRoots: [...this.systemRoots],
      sessions: [...this.sessions].map(([clientId, session]) => ({ clientId, ...session })),
    };
  }

  private retain(messageId: MessageId, at: number): void {
    this.retainedExpiries.push(this.expiryOf(messageId, at));
    this.owned.add(messageId);
    const root = this.systemTopics.get(messageId)?.split('/')[0];
    if (root !== undefined) this.systemRoots.add(root);
  }

  private queue({ messageId, clientId, isDelivered }: Chunk & { readonly kind: 'queued' }, at: number): void {
    const expiresAt = this.expiryOf(messageId, at);
    const session = this.requireSession(clientId, at);
    this.owned.add(messageId);
    this.queued += 1;
    if (!isDelivered) session.waiting.push(expiresAt);
  }

  private expiryOf(messageId: MessageId, at: number): number {
    const expiresAt = this.expiries.get(messageId);
    if (expiresAt === undefined)
      throw new StoreFault('damaged', at, `it refers to message ${messageId}, which is not there`);
    return expiresAt;
  }

  private requireSession(clientId: string, at: number): KnownSession {
    const session = this.sessions.get(clientId);
    if (session === undefined)
      throw new StoreFault('damaged', at, `it refers to client ${clientId}, which has no session`);
    return session;
  }
}
