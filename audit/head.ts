import { z } from 'zod';
import type { ChainEnd, HeadRow } from '../db/audit-chain';
import type { KeyRing, SignatureCheck } from '../storage/encryption/key-ring';

/** A signed head as it lies in storage. */
export const headSchema = z.strictObject({
  format: z.literal(1),
  kind: z.literal('audit-head'),
  position: z.number().int().positive(),
  /** Hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  signedAt: z.iso.datetime(),
  signature: z.strictObject({
    algorithm: z.literal('HMAC-SHA256'),
    keyId: z.string(),
    /** Base64. */
    value: z.string(),
  }),
});
export type StoredHead = z.infer<typeof headSchema>;

/** By the ring's current key. */
export const signHead =
  (keyRing: KeyRing) =>
  (end: ChainEnd, signedAt: string): { keyId: string; signature: string } => {
    const { keyId, value } = keyRing.sign(signedBytes({ ...end, signedAt }));
    return { keyId, signature: value };
  };

export const checkHead = (keyRing: KeyRing, head: HeadRow): SignatureCheck =>
  keyRing.verify(signedBytes(head), { algorithm: 'HMAC-SHA256', keyId: head.keyId, value: head.signature });

export const toStoredHead = ({ position, hash, signedAt, keyId, signature }: HeadRow): StoredHead => ({
  ...{ format: 1, kind: 'audit-head', position, hash: hash.toString('hex'), signedAt },
  signature: { algorithm: 'HMAC-SHA256', keyId, value: signature },
});

export const fromStoredHead = ({ position, hash, signedAt, signature }: StoredHead): HeadRow => ({
  ...{ position, hash: Buffer.from(hash, 'hex'), signedAt, keyId: signature.keyId, signature: signature.value },
});

/** The name keeps a signature from ever fitting anything else that the ring signs. */
const signedBytes = ({ position, hash, signedAt }: Pick<HeadRow, 'position' | 'hash' | 'signedAt'>): Buffer =>
  Buffer.from(JSON.stringify(['derms audit head v1', position, hash.toString('hex'), signedAt]));
