import { createHash, randomBytes } from 'node:crypto';
import type { MachineToken, MachineTokenUse } from '../../db/machine-tokens';
import { DermsError } from '../../domain/errors';
import { keepSampling } from '../health/sampling';
import type { Machine } from './caller';
import type { TokenClaims } from './tokens';

/** What the database knows about tokens, read by every replica again and again. */
export interface TokenRecords {
  /** For each user, and for everybody (null), the latest moment before which tokens were revoked. */
  readonly revoked: readonly { readonly user: string | null; readonly issuedBeforeMs: number }[];
  /** Those in force, by {@link machineTokenHash}, hex. */
  readonly machines: ReadonlyMap<string, Pick<MachineToken, 'tokenId' | 'name' | 'scopes' | 'expiresAt'>>;
}

export interface TokenRegisterPorts {
  readonly read: () => Promise<TokenRecords>;
  readonly noteUses: (uses: readonly MachineTokenUse[]) => Promise<void>;
  readonly nowMs: () => number;
}

/** Reading waits for nobody: all of it is in memory. */
export interface TokenRegister {
  /** The first look, bounded; then one every two seconds. */
  start(): Promise<void>;
  stop(): void;
  /** A look at once, after a change by this process. It may fail: the next one comes by itself. */
  lookNow(): Promise<void>;
  isRevoked(claims: TokenClaims): boolean;
  /** @throws {DermsError} DATABASE_UNAVAILABLE when what is known is too old to go by. */
  machineOf(token: string, address: string): Machine | null;
  /** Since the last look that succeeded, s; null while there was none. */
  ageSeconds(): number | null;
}

const LOOK_EVERY_MS = 2_000;
const LOOK_WITHIN_MS = 2_000;
/** What machines do needs the database anyway, so their tokens count no longer without it than this. */
const MACHINES_FRESH_MS = 60_000;
const NOTE_USES_EVERY_MS = 60_000;

/**
 * Without the database people stay logged in by what was read last, and whoever logs in again is let in: an operator in
 * an event is worth more than a revocation that nobody could write meanwhile. A process that has read nothing yet trusts
 * only what was issued after it started, since it cannot know what was revoked before.
 */
export function createTokenRegister({ read, noteUses, nowMs }: TokenRegisterPorts): TokenRegister {
  const startedAtMs = nowMs();
  let known: (TokenRecords & { readonly atMs: number }) | null = null;
  let stop = (): void => undefined;
  let uses = new Map<string, MachineTokenUse>();
  let notedAtMs = startedAtMs;

  const look = async (): Promise<void> => {
    const atMs = nowMs();
    const records = await read();
    if (known === null || atMs >= known.atMs) known = { ...records, atMs };
    if (uses.size === 0 || atMs - notedAtMs < NOTE_USES_EVERY_MS) return;
    const told = [...uses.values()];
    uses = new Map();
    notedAtMs = atMs;
    await noteUses(told);
  };

  return {
    start: async () => {
      const sampler = keepSampling({
        look,
        withinMs: LOOK_WITHIN_MS,
        everyMs: LOOK_EVERY_MS,
        onResult: () => undefined, // its age tells, and health says why the database does not answer
      });
      ({ stop } = sampler);
      await sampler.first;
    },
    stop: () => {
      stop();
    },
    lookNow: () => look().catch(() => undefined),
    isRevoked: ({ user, issuedAtMs }) => {
      if (known === null) return issuedAtMs < startedAtMs;
      return known.revoked.some(
        (moment) => (moment.user === null || moment.user === user) && issuedAtMs < moment.issuedBeforeMs,
      );
    },
    machineOf: (token, address) => {
      if (known === null || nowMs() - known.atMs > MACHINES_FRESH_MS)
        throw new DermsError('DATABASE_UNAVAILABLE', 'PostgreSQL does not answer: no machine token can be checked.');
      const found = known.machines.get(machineTokenHash(token).toString('hex'));
      if (found === undefined || Date.parse(found.expiresAt) <= nowMs()) return null;
      const { tokenId, name, scopes } = found;
      uses.set(tokenId, { tokenId, atMs: nowMs(), address });
      return { kind: 'machine', user: `machine:${name}`, tokenId, scopes };
    },
    ageSeconds: () => (known === null ? null : (nowMs() - known.atMs) / 1000),
  };
}

const PREFIX = 'derms_machine_';

/** By its beginning, which also lets scanners of repositories find one that leaked. */
export const isMachineToken = (token: string): boolean => token.startsWith(PREFIX);

/** Drawn, 256 bits: nothing has to be slow about checking it. */
export const newMachineToken = (): string => PREFIX + randomBytes(32).toString('base64url');

export const machineTokenHash = (token: string): Buffer => createHash('sha256').update(token).digest();
