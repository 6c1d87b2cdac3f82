import { Readable } from 'node:stream';
import { run } from '../../../cli/run';
import type { BackupPage, BackupRecord } from '../../../db/backups';
import { aUser, authenticationOf, startApp, type AppUnderTest } from '../api/app-under-test';

const PASSWORD = 'Correct horse battery 9';
const ID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';

const aBackup = (given: Partial<BackupRecord> = {}): BackupRecord => ({
  ...{ backupId: ID, kind: 'dump', key: 'dump/a', runId: ID, storedBytes: 12_345_678, state: 'verified' },
  ...{ takenAt: '2026-05-01T02:15:00.000000Z', storedAt: '2026-05-01T02:16:00.000000Z' },
  ...{ verifiedAt: null, restoredAt: null, checkedAt: '2026-05-01T09:15:00.000000Z', lastVerdict: 'passed' },
  ...{ proofCheckId: 1, deletedAt: null, deletedProof: null },
  ...given,
});

const users = [aUser('olga', 'viewer', PASSWORD)];
let app: AppUnderTest | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function derms(rows: readonly BackupRecord[], ...argv: string[]) {
  const pages: BackupPage[] = [];
  const list = (page: BackupPage) => Promise.resolve((pages.push(page), [...rows]));
  app = await startApp({ authentication: authenticationOf({ users }), backups: { list } });
  let out = '';
  const context = {
    print: (text: string) => (out += `${text}\n`),
    input: Readable.from(['']),
    askSecret: () => Promise.reject(new Error('nobody is asked')),
    environment: { DERMS_API_URL: app.url, DERMS_USER: 'olga', DERMS_PASSWORD: PASSWORD },
    now: () => new Date('2026-05-01T12:15:00Z'),
  };
  const code = await run(['backups', ...argv], context, context.print);
  return { code, lines: out.trimEnd().split('\n'), pages };
}

describe('backups', () => {
  it('shows at a glance how old the newest is, and how far it is proven', async () => {
    const { code, lines } = await derms([aBackup()]);
    expect(lines).toEqual([
      'TAKEN AT              AGE  KIND  STATE     LOOKED AT  STORED MB                                    ID',
      `2026-05-01T02:15:00  10 h  dump  verified    3 h ago       12.3  ${ID}`,
    ]);
    expect(code).toBe(0);
  });

  it.each(['stored', 'damaged'] as const)('ends with 1 when the newest of a kind is only %s', async (state) => {
    const older = aBackup({ takenAt: '2026-04-30T02:15:00.000000Z' });
    expect((await derms([aBackup({ state, checkedAt: null }), older])).code).toBe(1);
    await app?.close();
    expect((await derms([aBackup(), aBackup({ kind: 'mqtt' }), { ...older, state }])).code).toBe(0);
  });

  it('asks for a kind, a state and a number, and says where to look when there is none', async () => {
    const { code, lines, pages } = await derms([], '--kind', 'mqtt', '--state', 'damaged', '--limit', '5');
    expect(pages).toEqual([{ kind: 'mqtt', state: 'damaged', before: null, limit: 6 }]);
    expect([code, lines[0]]).toEqual([0, expect.stringContaining('npm run restore -- --list')]);
  });
});
