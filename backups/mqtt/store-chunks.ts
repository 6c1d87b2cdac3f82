import type { ByteStory } from './byte-walk';
import { StoreFault } from './store-fault';

/** What one chunk says, as far as a copy is judged by it. Times are seconds since the epoch, Infinity for never. */
export type Chunk =
  | { readonly kind: 'configuration' }
  | { readonly kind: 'message'; readonly id: number | bigint; readonly topic: string; readonly expiresAt: number }
  | {
      readonly kind: 'queued';
      readonly messageId: number | bigint;
      readonly clientId: string;
      /** Its client has it already, or sent it; only the handshake is open. It is not sent as a message again. */
      readonly isDelivered: boolean;
    }
  | { readonly kind: 'retained'; readonly messageId: number | bigint }
  | { readonly kind: 'subscription'; readonly clientId: string }
  | {
      readonly kind: 'session';
      readonly clientId: string;
      readonly username: string | null;
      readonly expiresAt: number;
    };

const HEADER_BYTES = 8;
/** The longest MQTT packet (256 MiB) with the longest topic, client id and user name, and their lengths. */
const LONGEST_BODY_BYTES = 268_435_455 + 4 * 65_535 + 256;

/**
 * Reads one chunk that begins at `at`. Every length inside it must agree with the chunk's own: a shifted or overwritten
 * one is found here, though a changed payload is not (Mosquitto keeps no checksum).
 *
 * Lengths are in network order, while message ids and times are as the broker's machine writes them: little-endian on
 * all that run it today.
 */
export function* readChunk(
  at: number,
  dbVersion: number,
): ByteStory<{ readonly chunk: Chunk; readonly bytes: number }> {
  const header = yield HEADER_BYTES;
  const type = header.readUInt32BE(0);
  const bodyBytes = header.readUInt32BE(4);
  const kind = KINDS[type];
  if (kind === undefined) throw strangeChunk(at, type, bodyBytes);
  const fixedBytes = kind === 'session' && dbVersion === 5 ? 16 : FIXED_BYTES[kind];
  if (bodyBytes < fixedBytes || bodyBytes > LONGEST_BODY_BYTES) {
    throw new StoreFault('damaged', at, `a chunk of kind ${kind} cannot be ${bodyBytes} bytes long`);
  }
  const fixed = yield fixedBytes;
  const body: Body = { at, kind, fixed, restBytes: bodyBytes - fixedBytes };
  return { chunk: yield* READERS[kind](body), bytes: HEADER_BYTES + bodyBytes };
}

interface Body {
  readonly at: number;
  readonly kind: Chunk['kind'];
  /** The part of fixed length. */
  readonly fixed: Buffer;
  /** Length of what follows it. */
  readonly restBytes: number;
}

const KINDS: Readonly<Record<number, Chunk['kind']>> = {
  1: 'configuration',
  2: 'message',
  3: 'queued',
  4: 'retained',
  5: 'subscription',
  6: 'session',
};
const FIXED_BYTES = {
  configuration: 16,
  message: 32,
  queued: 16,
  retained: 8,
  subscription: 12,
  session: 24,
} as const satisfies Record<Chunk['kind'], number>;

const READERS = { configuration, message, queued, retained, subscription, session } as const satisfies Record<
  Chunk['kind'],
  (body: Body) => ByteStory<Chunk>
>;

function* configuration(body: Body): ByteStory<Chunk> {
  yield* requireLengths(body, 0);
  return { kind: 'configuration' };
}

function* message(body: Body): ByteStory<Chunk> {
  const { fixed } = body;
  const payloadBytes = fixed.readUInt32BE(16);
  const sourceBytes = fixed.readUInt16BE(22) + fixed.readUInt16BE(24);
  const topicBytes = fixed.readUInt16BE(26);
  const restBytes = yield* requireLengths(body, sourceBytes + topicBytes + payloadBytes, 'may have properties');
  yield { skip: sourceBytes };
  const topic = yield topicBytes;
  const expiresAt = timeOf(fixed, 8);
  const chunk = { kind: 'message', id: idOf(fixed), topic: topic.toString('utf8'), expiresAt } as const;
  yield { skip: payloadBytes };
  yield* requireProperties(body, restBytes);
  return chunk;
}

function* queued(body: Body): ByteStory<Chunk> {
  const idBytes = body.fixed.readUInt16BE(10);
  const restBytes = yield* requireLengths(body, idBytes, 'may have properties');
  const messageId = idOf(body.fixed);
  const isIncoming = body.fixed.readUInt8(15) === 0;
  const state = body.fixed.readUInt8(13);
  const clientId = (yield idBytes).toString('utf8');
  yield* requireProperties(body, restBytes);
  return { kind: 'queued', messageId, clientId, isDelivered: isIncoming || !SENT_AGAIN.has(state) };
}

/** States of Mosquitto's `mosquitto_msg_state` in which the message itself has yet to be received: 1–5 and queued. */
const SENT_AGAIN: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 11]);

function* retained(body: Body): ByteStory<Chunk> {
  yield* requireLengths(body, 0);
  return { kind: 'retained', messageId: idOf(body.fixed) };
}

function* subscription(body: Body): ByteStory<Chunk> {
  const idBytes = body.fixed.readUInt16BE(4);
  const topicBytes = body.fixed.readUInt16BE(6);
  yield* requireLengths(body, idBytes + topicBytes);
  const clientId = (yield idBytes).toString('utf8');
  yield { skip: topicBytes };
  return { kind: 'subscription', clientId };
}

function* session(body: Body): ByteStory<Chunk> {
  const { fixed } = body;
  const idBytes = fixed.readUInt16BE(14);
  const usernameBytes = fixed.length > 16 ? fixed.readUInt16BE(18) : 0;
  yield* requireLengths(body, idBytes + usernameBytes);
  const expiresAt = timeOf(fixed, 0);
  const clientId = (yield idBytes).toString('utf8');
  const username = yield usernameBytes;
  return { kind: 'session', clientId, username: usernameBytes === 0 ? null : untilZero(username), expiresAt };
}

/**
 * Mosquitto 2.0.11 writes the name of the session before it, and memory that follows that, for a client that gave no
 * user name: what comes after a zero byte is not a name.
 */
function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}

/** Holds what the fixed part announces against the chunk's length; returns the bytes left for properties. */
// eslint-disable-next-line require-yield -- called with yield* like every other step
function* requireLengths(
  { at, kind, restBytes }: Body,
  announcedBytes: number,
  properties?: 'may have properties',
): ByteStory<number> {
  const left = restBytes - announcedBytes;
  if (left === 0 || (left > 0 && properties !== undefined)) return left;
  const what = `its parts are ${announcedBytes} bytes long where ${restBytes} are there`;
  throw new StoreFault('damaged', at, `the lengths in a chunk of kind ${kind} do not agree: ${what}`);
}

/** MQTT 5 properties: their length as a variable byte integer, which must be exactly what is left. */
function* requireProperties({ at, kind }: Body, bytes: number): ByteStory<void> {
  if (bytes === 0) return;
  let announced = 0;
  let digits = 0;
  for (let digit = 0x80; (digit & 0x80) !== 0 && digits < Math.min(4, bytes); digits += 1) {
    digit = (yield 1).readUInt8(0);
    announced += (digit & 0x7f) * 128 ** digits;
  }
  if (announced !== bytes - digits) {
    throw new StoreFault('damaged', at, `the properties of a chunk of kind ${kind} are not ${bytes} bytes long`);
  }
  yield { skip: announced };
}

function idOf(fixed: Buffer): number | bigint {
  const id = fixed.readBigUInt64LE(0);
  return id <= Number.MAX_SAFE_INTEGER ? Number(id) : id;
}

/** 0 means never. */
function timeOf(fixed: Buffer, offset: number): number {
  const seconds = Number(fixed.readBigInt64LE(offset));
  return seconds === 0 ? Number.POSITIVE_INFINITY : seconds;
}

function strangeChunk(at: number, type: number, bodyBytes: number): StoreFault {
  return type === 0 && bodyBytes === 0
    ? new StoreFault('zeroed', at, 'zero bytes where a chunk begins')
    : new StoreFault('damaged', at, `no chunk begins here (type ${type}): rubbish, or a length before it is wrong`);
}
