import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';

/**
 * `scrypt$N$r$p$salt$hash`, salt and hash in base64. The cost is part of each hash, so that it can be raised without
 * making old ones invalid.
 */
export interface PasswordHash {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelism: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** The least that OWASP's Password Storage Cheat Sheet names in 16 MiB: about 150 ms for each attempt. */
const COST = { cost: 16_384, blockSize: 8, parallelism: 5 } as const;
/** 256 MiB: a hash that costs more would let a log-in exhaust the process. */
const MAX_COST_TIMES_BLOCK_SIZE = 2 ** 21;
const HASH_BYTES = 32;
const SALT_BYTES = 16;
const PATTERN = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+={0,2})$/;

/** The text that goes into `AUTH_USERS`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, { ...COST, salt, hash: Buffer.alloc(HASH_BYTES) });
  const { cost, blockSize, parallelism } = COST;
  return ['scrypt', cost, blockSize, parallelism, salt.toString('base64'), hash.toString('base64')].join('$');
}

/** null when the text is no hash of this form, or costs less than we accept or more than a log-in may. */
export function parsePasswordHash(text: string): PasswordHash | null {
  const [, cost, blockSize, parallelism, salt, hash] = PATTERN.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return null;
  const parsed = {
    cost: Number(cost),
    blockSize: Number(blockSize),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  };
  return isAcceptable(parsed) ? parsed : null;
}

/** Zeros and typed text are what examples have for salt and hash; drawn bytes hardly ever repeat so much. */
export const looksDrawn = ({ salt, hash }: PasswordHash): boolean =>
  new Set(salt).size > salt.length / 2 && new Set(hash).size > hash.length / 2 && !isText(salt);

const isText = (bytes: Buffer): boolean => bytes.every((byte) => byte >= 0x20 && byte < 0x7f);

/** In time that depends on the hash's cost and on nothing else. */
export async function verifyPassword(password: string, expected: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, expected), expected.hash);
}

/** What deciding about one attempt takes. */
export type HashCost = Pick<PasswordHash, 'cost' | 'blockSize' | 'parallelism'>;

/** A hash that no password has: what unknown users are compared with, so that they take as long as known ones. */
export const unmatchableHash = ({ cost, blockSize, parallelism }: HashCost = COST): PasswordHash => ({
  ...{ cost, blockSize, parallelism },
  salt: randomBytes(SALT_BYTES),
  hash: randomBytes(HASH_BYTES),
});

function isAcceptable({ cost, blockSize, parallelism, salt, hash }: PasswordHash): boolean {
  const powerOfTwo = (cost & (cost - 1)) === 0;
  return (
    powerOfTwo &&
    cost >= COST.cost &&
    blockSize >= COST.blockSize &&
    cost * blockSize <= MAX_COST_TIMES_BLOCK_SIZE &&
    cost * parallelism >= COST.cost * COST.parallelism &&
    parallelism <= 16 &&
    salt.length >= SALT_BYTES &&
    hash.length === HASH_BYTES
  );
}

function derive(password: string, { cost, blockSize, parallelism, salt, hash }: PasswordHash): Promise<Buffer> {
  const options: ScryptOptions = { N: cost, r: blockSize, p: parallelism, maxmem: 256 * cost * blockSize };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, hash.length, options, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
