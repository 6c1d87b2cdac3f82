import { createHash } from 'node:crypto';
import { parseKeyRing, type KeyRing } from '../../storage/encryption/key-ring';

/** A key ring entry that is the same in every run. */
export const keyEntry = (id: string, seed = id): string =>
  `${id}:${createHash('sha256').update(seed).digest('base64')}`;

/** The first id is the current one. */
export const keyRing = (...ids: readonly string[]): KeyRing => parseKeyRing(ids.map((id) => keyEntry(id)).join('\n'));
