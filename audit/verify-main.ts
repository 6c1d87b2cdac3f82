import { parseArgs } from 'node:util';
import { DATABASE_SETTINGS, databaseAccess } from '../config/connections';
import { loadSomeSettings } from '../config/load';
import { Secrets } from '../config/secrets';
import { openDatabase, type Database } from '../db/pool';
import { createLogger } from '../observability/logger';
import { parseKeyRing } from '../storage/encryption/key-ring';
import { STORAGE_SETTINGS } from '../storage/location';
import { openStorage } from '../storage/open-storage';
import type { AuditReport } from './report';
import { readStoredHeads } from './stored-heads';
import { told } from './told';
import { verifyAudit } from './verify';

const USAGE = `npm run audit:verify -- [--json] [--no-storage]

  --json        the report as JSON on standard output
  --no-storage  the database alone: a tail cut together with its heads is not seen

Computes the chain of the audit log anew and holds it against the signed heads in the database and in storage. Needs these
two and nothing that runs: docs/audit.md.
Ends with 0: sound; 1: it could not be done; 2: wrong use; 3: something is wrong.`;

const SETTINGS = [...DATABASE_SETTINGS, ...(['BACKUP_ENCRYPTION_KEYS', ...STORAGE_SETTINGS] as const)] as const;
type VerifySettings = ReturnType<typeof loadSomeSettings<(typeof SETTINGS)[number]>>;

/** One page of links is far below it, ms. */
const QUERY_MS = 120_000;

/** `npm run audit:verify`. */
async function main(argv: readonly string[]): Promise<number> {
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({ args: [...argv], options: { json: flag, 'no-storage': flag, help: flag } });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const report = await verify(loadSomeSettings(SETTINGS, process.env), !values['no-storage']);
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : told(report));
  return report.sound ? 0 : 3;
}

async function verify(settings: VerifySettings, withStorage: boolean): Promise<AuditReport> {
  const { BACKUP_STORAGE: address, BACKUP_ENCRYPTION_KEYS: keys } = settings;
  const keyRing = keys === undefined ? null : parseKeyRing(keys);
  const stored = withStorage && address !== undefined ? await readStoredHeads(await openStorage(settings)) : null;
  const db = database(settings);
  try {
    const isShown = process.stderr.isTTY;
    return await verifyAudit(db, {
      ...{ keyRing, stored },
      ...(isShown ? { onProgress: (entries) => process.stderr.write(`\r${String(entries)} entries`) } : {}),
    });
  } finally {
    await db.close();
  }
}

const database = (settings: VerifySettings): Database =>
  openDatabase(
    {
      ...databaseAccess(settings, new Secrets(process.env)),
      poolSize: 1,
      queryTimeoutMs: QUERY_MS,
      applicationName: 'derms-audit-verify',
    },
    createLogger({ service: 'derms', role: 'audit-verify', level: 'fatal', pretty: false }),
  );

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof TypeError && 'code' in error ? 2 : 1);
  },
);
