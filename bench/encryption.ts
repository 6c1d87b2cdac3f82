import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { decrypt } from '../storage/encryption/decrypt';
import { encrypt } from '../storage/encryption/encrypt';
import { newKeyEntry, parseKeyRing } from '../storage/encryption/key-ring';
import type { Benchmark, BenchmarkRow } from './table';

const MIB = 1024 ** 2;
/** As a pipe gives them. */
const CHUNK_BYTES = 64 * 1024;
const TOTAL_BYTES = 256 * MIB;
const ROUNDS = 15;
const LEAST_RATIO = 0.9;

/**
 * Encrypting and decrypting a stream of 64 KiB buffers as backups do, against the bare AES-256-GCM of Node over the same
 * buffers, in turns. Measured in CPU time, the best round of each: other work on
 * the machine only ever slows down.
 */
export const benchmarkEncryption: Benchmark = async (say) => {
  const keyRing = parseKeyRing(newKeyEntry('bench'));
  const plain = randomBytes(CHUNK_BYTES);
  const object: Buffer[] = [];
  for await (const chunk of encrypt(repeated(plain), keyRing, 'bench')) object.push(chunk);
  const rates = {
    encrypt: [] as number[],
    bareEncrypt: [] as number[],
    decrypt: [] as number[],
    bareDecrypt: [] as number[],
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    rates.bareEncrypt.push(await mibPerCpuSecond(() => bareCipher(plain)));
    rates.encrypt.push(await mibPerCpuSecond(() => drain(encrypt(repeated(plain), keyRing, 'bench'))));
    rates.bareDecrypt.push(await mibPerCpuSecond(() => bareDecipher(object)));
    rates.decrypt.push(await mibPerCpuSecond(() => drain(decrypt(from(object), keyRing, 'bench'))));
    say(`round ${String(round + 1)} of ${String(ROUNDS)}`);
  }
  return [
    row('encrypt, MiB per CPU second', Math.max(...rates.encrypt), Math.max(...rates.bareEncrypt)),
    row('decrypt and check, MiB per CPU second', Math.max(...rates.decrypt), Math.max(...rates.bareDecrypt)),
  ];
};

async function mibPerCpuSecond(work: () => void | Promise<void>): Promise<number> {
  const began = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(began);
  return TOTAL_BYTES / MIB / ((user + system) / 1e6);
}

// Sources are asynchronous, though these have nothing to wait for.
/* eslint-disable @typescript-eslint/require-await */
async function* repeated(chunk: Buffer): AsyncGenerator<Buffer> {
  for (let bytes = 0; bytes < TOTAL_BYTES; bytes += chunk.length) yield chunk;
}

async function* from(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield chunk;
}

/* eslint-enable @typescript-eslint/require-await */

async function drain(source: AsyncIterable<Buffer>): Promise<void> {
  let bytes = 0;
  for await (const chunk of source) bytes += chunk.length;
  if (bytes < TOTAL_BYTES) throw new Error(`only ${String(bytes)} bytes came`);
}

/** The least that could do the work: one cipher, no frames, nobody who takes the result. */
function bareCipher(chunk: Buffer): void {
  const cipher = createCipheriv('aes-256-gcm', randomBytes(32), randomBytes(12));
  for (let bytes = 0; bytes < TOTAL_BYTES; bytes += chunk.length) cipher.update(chunk);
  cipher.final();
}

/** Its tag is never checked: that costs nothing to speak of. */
function bareDecipher(chunks: readonly Buffer[]): void {
  const decipher = createDecipheriv('aes-256-gcm', randomBytes(32), randomBytes(12));
  for (const chunk of chunks) decipher.update(chunk);
}

const row = (measure: string, ours: number, reference: number): BenchmarkRow => ({
  benchmark: 'encryption',
  measure,
  ours,
  reference,
  target: `≥ ${String(LEAST_RATIO)} of a bare cipher`,
  met: ours / reference >= LEAST_RATIO,
});
