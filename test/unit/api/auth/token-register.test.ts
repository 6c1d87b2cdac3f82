import {
  createTokenRegister,
  isMachineToken,
  machineTokenHash,
  newMachineToken,
  type TokenRecords,
} from '../../../../api/auth/token-register';
import type { MachineTokenUse } from '../../../../db/machine-tokens';

const NOW = 1_777_636_800_000;
const NOTHING: TokenRecords = { revoked: [], machines: new Map() };
const AWAY = () => Promise.reject(new Error('connect ECONNREFUSED'));

function start(read: () => Promise<TokenRecords>) {
  const clock = { nowMs: NOW };
  const noted: MachineTokenUse[][] = [];
  const source = { read };
  const register = createTokenRegister({
    read: () => source.read(),
    noteUses: (uses) => Promise.resolve(void noted.push([...uses])),
    nowMs: () => clock.nowMs,
  });
  return { register, clock, noted, source };
}

const issued = (atMs: number, user = 'olga') =>
  ({ user, role: 'operator', issuedAtMs: atMs, expiresAtMs: atMs + 3_600_000 }) as const;

describe('tokens of people', () => {
  it('are revoked when they were issued before a moment, of their user or of everybody', async () => {
    const revoked = [
      { user: null, issuedBeforeMs: NOW - 10_000 },
      { user: 'olga', issuedBeforeMs: NOW - 5_000 },
    ];
    const { register } = start(() => Promise.resolve({ ...NOTHING, revoked }));
    await register.lookNow();
    expect(register.isRevoked(issued(NOW - 10_001, 'otto'))).toBe(true);
    expect(register.isRevoked(issued(NOW - 10_000, 'otto'))).toBe(false);
    expect(register.isRevoked(issued(NOW - 5_001))).toBe(true);
    expect(register.isRevoked(issued(NOW - 5_000))).toBe(false);
  });

  it('stay as they were read last while the database is away', async () => {
    const revoked = [{ user: null, issuedBeforeMs: NOW - 10_000 }];
    const { register, clock, source } = start(() => Promise.resolve({ ...NOTHING, revoked }));
    await register.lookNow();
    source.read = AWAY;
    clock.nowMs += 7_200_000;
    await register.lookNow();
    expect([register.isRevoked(issued(NOW - 10_001)), register.isRevoked(issued(NOW))]).toEqual([true, false]);
    expect(register.ageSeconds()).toBe(7_200);
  });

  it('of before the start are not trusted while the database has never answered; those of after are', async () => {
    const { register, source } = start(AWAY);
    await register.lookNow();
    expect(register.ageSeconds()).toBeNull();
    expect([register.isRevoked(issued(NOW - 1)), register.isRevoked(issued(NOW))]).toEqual([true, false]);
    source.read = () => Promise.resolve(NOTHING);
    await register.lookNow();
    expect(register.isRevoked(issued(NOW - 1))).toBe(false);
  });

  it('are judged by the later of two looks, whichever ends first', async () => {
    const waiting: ((records: TokenRecords) => void)[] = [];
    const { register, clock } = start(() => new Promise((resolve) => waiting.push(resolve)));
    const first = register.lookNow();
    clock.nowMs += 10;
    const second = register.lookNow();
    waiting[1]?.({ ...NOTHING, revoked: [{ user: null, issuedBeforeMs: NOW }] });
    await second;
    waiting[0]?.(NOTHING);
    await first;
    expect(register.isRevoked(issued(NOW - 1))).toBe(true);
  });
});

describe('tokens of machines', () => {
  const token = newMachineToken();
  const nightly = {
    tokenId: 't-1',
    name: 'nightly',
    scopes: ['jobs:run:db-backup'],
    expiresAt: new Date(NOW + 3_600_000).toISOString(),
  };
  const known: TokenRecords = {
    revoked: [],
    machines: new Map([[machineTokenHash(token).toString('hex'), nightly]]),
  };

  it('have a beginning that scanners find, and are never drawn twice', () => {
    expect(token).toMatch(/^derms_machine_[\w-]{43}$/);
    expect([isMachineToken(token), isMachineToken('eyJhbGciOi'), newMachineToken() === token]).toEqual([
      ...[true, false, false],
    ]);
  });

  it('are known by their hash, until they are over', async () => {
    const { register, clock, source } = start(() => Promise.resolve(known));
    await register.lookNow();
    expect(register.machineOf(token, '10.0.0.1')).toEqual({
      ...{ kind: 'machine', user: 'machine:nightly', tokenId: 't-1', scopes: ['jobs:run:db-backup'] },
    });
    expect(register.machineOf(newMachineToken(), '10.0.0.1')).toBeNull();
    source.read = () => Promise.resolve(known);
    clock.nowMs += 3_600_000;
    await register.lookNow();
    expect(register.machineOf(token, '10.0.0.1')).toBeNull();
  });

  it('end with the next look after they were revoked', async () => {
    const { register, source } = start(() => Promise.resolve(known));
    await register.lookNow();
    source.read = () => Promise.resolve(NOTHING);
    await register.lookNow();
    expect(register.machineOf(token, '10.0.0.1')).toBeNull();
  });

  it('count for a minute without the database, then nobody knows', async () => {
    const { register, clock } = start(() => Promise.resolve(known));
    expect(() => register.machineOf(token, '10.0.0.1')).toThrow('no machine token can be checked');
    await register.lookNow();
    clock.nowMs += 60_000;
    expect(register.machineOf(token, '10.0.0.1')).not.toBeNull();
    clock.nowMs += 1;
    expect(() => register.machineOf(token, '10.0.0.1')).toThrow(
      expect.objectContaining({ code: 'DATABASE_UNAVAILABLE' }),
    );
  });

  it('have their last use noted once a minute', async () => {
    const { register, clock, noted } = start(() => Promise.resolve(known));
    await register.lookNow();
    register.machineOf(token, '10.0.0.1');
    clock.nowMs += 30_000;
    await register.lookNow();
    expect(noted).toEqual([]);
    register.machineOf(token, '10.0.0.2');
    clock.nowMs += 30_000;
    await register.lookNow();
    clock.nowMs += 60_000;
    await register.lookNow();
    expect(noted).toEqual([[{ tokenId: 't-1', atMs: NOW + 30_000, address: '10.0.0.2' }]]);
  });
});

describe('looking again and again', () => {
  it('goes on after a failure', async () => {
    jest.useFakeTimers();
    try {
      let looks = 0;
      const { register } = start(() => {
        looks += 1;
        return looks === 2 ? AWAY() : Promise.resolve(NOTHING);
      });
      await register.start();
      await jest.advanceTimersByTimeAsync(4_000);
      register.stop();
      await jest.advanceTimersByTimeAsync(10_000);
      expect(looks).toBe(3);
    } finally {
      jest.useRealTimers();
    }
  });
});
