import { open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';

export interface LogFollower {
  /** Resolves when what is under way is over. */
  stop(): Promise<void>;
}

interface FollowOptions {
  readonly onLine: (line: string) => void;
  /** Told once for each fault until a look succeeds again. */
  readonly onFault: (error: unknown) => void;
  readonly everyMs?: number;
  /** What was read is cut off when there is more of it, bytes. */
  readonly cutAtBytes?: number;
}

const EVERY_MS = 500;
const CUT_AT_BYTES = 1024 ** 2;
const CHUNK_BYTES = 256 * 1024;

/**
 * Reads a log as it grows and keeps it short: whoever writes must append (`O_APPEND`), as Mosquitto does. Lines of the
 * moment between the last read and the cut are lost. A file that is not there yet is waited for.
 */
export function followLog(
  path: string,
  { onLine, onFault, everyMs = EVERY_MS, cutAtBytes = CUT_AT_BYTES }: FollowOptions,
): LogFollower {
  let offset = 0;
  let rest = '';
  let decoder = new StringDecoder('utf8');
  let faulty = false;
  let stopping = false;
  const chunk = Buffer.alloc(CHUNK_BYTES);

  const startAgain = (): void => {
    [offset, rest, decoder] = [0, '', new StringDecoder('utf8')];
  };
  const take = (bytes: Buffer): void => {
    const lines = (rest + decoder.write(bytes)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > CHUNK_BYTES) rest = ''; // no line of any broker
    for (const line of lines) onLine(line);
  };
  const look = async (): Promise<void> => {
    const file = await open(path, 'r+');
    try {
      if ((await file.stat()).size < offset) startAgain(); // another file, or somebody else cut it
      for (;;) {
        const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, offset);
        if (bytesRead === 0 || stopping) break;
        offset += bytesRead;
        take(chunk.subarray(0, bytesRead));
      }
      if (offset <= cutAtBytes) return;
      await file.truncate(0);
      offset = 0; // what stands in `rest` goes on with what is written next
    } finally {
      await file.close();
    }
  };
  const lookSafely = async (): Promise<void> => {
    try {
      await look();
      faulty = false;
    } catch (error) {
      if (!faulty) onFault(error);
      faulty = true;
    }
  };
  let looking = Promise.resolve();
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    looking = lookSafely().finally(() => {
      busy = false;
    });
  }, everyMs);
  return {
    stop: async () => {
      stopping = true;
      clearInterval(timer);
      await looking;
    },
  };
}
