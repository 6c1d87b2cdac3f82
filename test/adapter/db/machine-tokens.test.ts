import {
  issueMachineToken,
  listMachineTokens,
  noteMachineTokenUses,
  readMachineTokensInForce,
  revokeMachineToken,
} from '../../../db/machine-tokens';
import { listRevocations, readRevokedMoments, revokeTokens } from '../../../db/token-revocations';
import { createTestDatabase, type TestDatabase } from '../../support/servers';

const ADMIN = { user: 'ann', role: 'admin', requestId: 'r-1', address: '127.0.0.1' };
const ID = '0193a5b0-0000-7000-8000-00000000000';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const issue = (last: number, given: { issuer?: string; validDays?: number } = {}) =>
  issueMachineToken(database.db, {
    ...{ tokenId: `${ID}${String(last)}`, tokenHash: Buffer.from([last, 7]), name: 'nightly' },
    ...{ issuer: 'derms-production', scopes: ['jobs:run:db-backup', 'read:runs'], purpose: 'CronJob' },
    ...{ validDays: 90, actor: ADMIN },
    ...given,
  });
const inForce = async () => [...(await readMachineTokensInForce(database.db, 'derms-production')).keys()];
const audited = async () => {
  const { rows } = await database.db.query<{ line: string }>(
    `select concat_ws(' ', actor, action, subject, outcome) as line from audit_log order by id`,
  );
  return rows.map(({ line }) => line);
};

describe('a machine token', () => {
  it('is in force from its issue to its revocation, and both are on record', async () => {
    expect(await issue(1)).toMatchObject({ name: 'nightly', issuedBy: 'ann', lastUsedAt: null, revoked: null });
    expect(await inForce()).toEqual(['0107']);
    const revoked = await revokeMachineToken(database.db, { tokenId: `${ID}1`, reason: 'leaked', actor: ADMIN });
    expect(revoked.revoked).toMatchObject({ by: 'ann', reason: 'leaked' });
    expect(await inForce()).toEqual([]);
    expect(await audited()).toEqual([`ann machine-token.issue ${ID}1 done`, `ann machine-token.revoke ${ID}1 done`]);
  });

  it('stays as it was revoked first, and is not made up', async () => {
    await issue(1);
    await revokeMachineToken(database.db, { tokenId: `${ID}1`, reason: 'leaked', actor: ADMIN });
    const again = await revokeMachineToken(database.db, { tokenId: `${ID}1`, reason: 'again', actor: ADMIN });
    expect(again.revoked?.reason).toBe('leaked');
    await expect(
      revokeMachineToken(database.db, { tokenId: `${ID}2`, reason: 'x', actor: ADMIN }),
    ).rejects.toMatchObject({ code: 'MACHINE_TOKEN_NOT_FOUND' });
  });

  it('counts in its environment only, and not after its time', async () => {
    await issue(1, { issuer: 'derms-staging' });
    await issue(2, { validDays: 1 });
    expect(await inForce()).toEqual(['0207']);
    await database.db.query(`update machine_tokens set expires_at = now() - interval '1 s'`);
    expect(await inForce()).toEqual([]);
  });

  it('is listed newest first, page by page', async () => {
    for (const last of [1, 2, 3]) await issue(last);
    const first = await listMachineTokens(database.db, { beforeId: null, limit: 2 });
    const second = await listMachineTokens(database.db, { beforeId: `${ID}2`, limit: 2 });
    expect([first, second].map((page) => page.map(({ tokenId }) => tokenId.slice(-1)))).toEqual([['3', '2'], ['1']]);
  });

  it('shows when and from where it was used last, whoever tells first', async () => {
    await issue(1);
    const use = (atMs: number, address: string) =>
      noteMachineTokenUses(database.db, [{ tokenId: `${ID}1`, atMs, address }]);
    await use(Date.parse('2026-05-01T12:05:00Z'), '10.0.0.2');
    await use(Date.parse('2026-05-01T12:00:00Z'), '10.0.0.1');
    const [token] = await listMachineTokens(database.db, { beforeId: null, limit: 1 });
    expect(token).toMatchObject({ lastUsedAt: '2026-05-01T12:05:00.000Z', lastUsedAddress: '10.0.0.2' });
  });
});

describe('a revocation', () => {
  const order = { reason: 'leaked', user: null, issuedBefore: null, machines: true, actor: ADMIN };

  it('has the moment that is asked for, else the present, and is there for every process', async () => {
    const now = await revokeTokens(database.db, order);
    expect(Math.abs(Date.parse(now.revocation.issuedBefore) - Date.now())).toBeLessThan(5_000);
    await revokeTokens(database.db, { ...order, user: 'olga', issuedBefore: '2026-05-01T12:00:00Z', machines: false });
    expect(await readRevokedMoments(database.db, 1e9)).toEqual([
      ...[{ user: 'olga', issuedBeforeMs: Date.parse('2026-05-01T12:00:00Z') }],
      ...[{ user: null, issuedBeforeMs: Date.parse(now.revocation.issuedBefore) }],
    ]);
    expect((await listRevocations(database.db, { beforeId: null, limit: 9 })).map(({ user }) => user)).toEqual([
      'olga',
      null,
    ]);
    expect(await audited()).toEqual(['ann token.revoke-all everybody done', 'ann token.revoke-all olga done']);
  });

  it('needs no telling once every token that it means has expired', async () => {
    await revokeTokens(database.db, { ...order, issuedBefore: new Date(Date.now() - 3_600_000).toISOString() });
    expect(await readRevokedMoments(database.db, 3_500)).toEqual([]);
    expect(await readRevokedMoments(database.db, 3_700)).toHaveLength(1);
  });

  it('ends the tokens of machines that were issued before it', async () => {
    await issue(1);
    expect(await revokeTokens(database.db, { ...order, machines: false })).toMatchObject({ machineTokens: 0 });
    expect(await revokeTokens(database.db, { ...order, issuedBefore: '2026-05-01T12:00:00Z' })).toMatchObject({
      machineTokens: 0,
    });
    expect(await revokeTokens(database.db, order)).toMatchObject({ machineTokens: 1 });
    await issue(2);
    expect(await inForce()).toEqual(['0207']);
  });

  it('cannot be taken back by the application', async () => {
    await revokeTokens(database.db, order);
    await expect(database.db.query('delete from token_revocations')).rejects.toThrow('permission denied');
    await expect(database.db.query('delete from machine_tokens')).rejects.toThrow('permission denied');
  });
});
