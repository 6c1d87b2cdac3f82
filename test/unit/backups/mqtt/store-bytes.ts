/** Writes stores as Mosquitto does, chunk by chunk, for tests that need an odd one; real ones are in the adapter tests. */
export const storeBytes = (version: number, ...chunks: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from('\0\xb5\0mosquitto db', 'latin1'), numbers([0, 4], [version, 4]), ...chunks]);

export const chunk = (type: number, ...body: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(body);
  return Buffer.concat([numbers([type, 4], [content.length, 4]), content]);
};

export const configuration = (): Buffer => chunk(1, hostTime(99), numbers([1, 1], [8, 1], [0, 6]));

interface MessageFacts {
  readonly id: number;
  readonly topic?: string;
  readonly payload?: string;
  readonly expiresAt?: number;
  readonly properties?: Buffer;
}
export const message = ({ id, topic = 'a/b', payload = '42', expiresAt = 0, properties }: MessageFacts): Buffer =>
  chunk(
    2,
    hostTime(id),
    hostTime(expiresAt),
    numbers([payload.length, 4], [7, 2], [6, 2], [4, 2], [topic.length, 2], [1883, 2], [1, 1], [1, 1]),
    Buffer.from(`sourceuser${topic}${payload}`),
    properties ?? Buffer.alloc(0),
  );

export const retained = (id: number): Buffer => chunk(4, hostTime(id));

export const session = (clientId: string, version = 6): Buffer =>
  chunk(
    6,
    hostTime(0),
    numbers([0xffffffff, 4], [1, 2], [clientId.length, 2]),
    version === 5 ? Buffer.alloc(0) : numbers([1883, 2], [0, 2], [0, 4]),
    Buffer.from(clientId),
  );

export const queued = (clientId: string, messageId: number, { state = 11, direction = 1 } = {}): Buffer =>
  chunk(
    3,
    hostTime(messageId),
    numbers([1, 2], [clientId.length, 2], [1, 1], [state, 1], [0, 1], [direction, 1]),
    Buffer.from(clientId),
  );

export const subscription = (clientId: string, topic = 'a/#'): Buffer =>
  chunk(
    5,
    numbers([0, 4], [clientId.length, 2], [topic.length, 2], [1, 1], [0, 1], [0, 2]),
    Buffer.from(clientId + topic),
  );

function hostTime(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function numbers(...parts: readonly (readonly [value: number, bytes: number])[]): Buffer {
  return Buffer.concat(
    parts.map(([value, bytes]) => {
      const part = Buffer.alloc(bytes);
      part.writeUIntBE(value, 0, bytes);
      return part;
    }),
  );
}
