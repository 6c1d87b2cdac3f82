import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { sealAll } from '../../../audit/sealer';
import { appendAudit } from '../../../db/audit';
import { createDirectoryStorage } from '../../../storage/directory';
import { auditChainPort } from '../../../worker/audit-chain-port';
import { keyEntry, keyRing } from '../../support/keys';
import { createTestDatabase, type TestDatabase } from '../../support/servers';
import { ANNA } from '../db/people-writes';
import { connectAsOwner, disarm } from './owner';

// The program as an operator runs it; needs `node local/build.mjs`.
const PROGRAM = join(__dirname, '../../../dist/audit/verify-main.js');

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'derms-audit-'));
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

const verify = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const { host, port, database: name, user, password } = database.options;
    const env = {
      ...{ PATH: process.env['PATH'], DB_HOST: host, DB_PORT: String(port), DB_NAME: name, DB_USER: user },
      ...{
        DB_PASSWORD: String(password),
        BACKUP_STORAGE: pathToFileURL(folder).href,
        BACKUP_ENCRYPTION_KEYS: keyEntry('k1'),
      },
    };
    execFile(process.execPath, [PROGRAM, ...args], { env, cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });

it('says that all is well, names what is not, and ends so that a script knows', async () => {
  const { db } = database;
  const chain = auditChainPort({ storage: createDirectoryStorage(folder), keyRing: keyRing('k1') }, db);
  if (typeof chain === 'string') throw new Error(chain);
  expect(await chain.storeHead(new AbortController().signal)).toBeNull();
  for (const subject of ['a', 'b', 'c'])
    await appendAudit(db, ANNA, { action: 'x', subject, outcome: 'done', detail: {} });
  expect(await chain.storeHead(new AbortController().signal)).toMatchObject({
    position: 3,
    key: expect.stringMatching(/^audit\/heads\/0000000000000003-[0-9a-f]{16}\.json$/) as string,
  });
  const well = await verify();
  expect(well).toMatchObject({ code: 0, stderr: '' });
  expect(well.stdout).toMatch(
    /^Sound: 3 entries, each as it was written\.\nThe chain ends at 3 [0-9a-f]{64}\nSigned up to 3 \(\S+\); in storage up to 3 \(\S+\)\nNothing is unsealed\n$/,
  );

  await appendAudit(db, ANNA, { action: 'x', subject: 'd', outcome: 'done', detail: {} });
  const waiting = await verify('--json');
  expect([waiting.code, JSON.parse(waiting.stdout)]).toMatchObject([0, { sound: true, unsealed: { entries: 1 } }]);

  await sealAll(db);
  const owner = await connectAsOwner(database);
  await disarm(owner);
  await owner.query("update audit_log set actor = 'nobody' where subject = 'b'");
  await owner.end();
  const bad = await verify();
  expect(bad.code).toBe(3);
  expect(bad.stdout).toMatch(/^NOT SOUND: entry 2 \(x by nobody at \S+\), its link or the link before was changed\.\n/);
  expect((await verify('--wrong')).code).toBe(2);
}, 60_000);
