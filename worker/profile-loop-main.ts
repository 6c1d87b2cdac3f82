import { parseArgs } from 'node:util';
import { DATABASE_SETTINGS, databaseAccess } from '../config/connections';
import { loadSomeSettings } from '../config/load';
import { POLICY_SETTINGS, policyNumbers } from '../config/policy';
import type { SettingName } from '../config/schema';
import { Secrets } from '../config/secrets';
import { openDatabase } from '../db/pool';
import { createLogger } from '../observability/logger';
import { profileLoop } from './loop-profile';
import { toldProfile } from './loop-profile-told';

const USAGE = `npm run profile:loop -- [--feeder ID] [--seconds N] [--json]

  --feeder ID   the loop of the tree that this feeder belongs to; without it, of the one that was latest at its last tick
  --seconds N   how long to watch, 1 to 600; 30 without it

Needs the database settings of the application (DB_*) and changes nothing.
Ends with 0: told; 1: it could not be done; 2: wrong use.`;

const LONGEST_SECONDS = 600;
const POLICY_NAMES = Object.keys(POLICY_SETTINGS) as (keyof typeof POLICY_SETTINGS)[]; // its own keys
const SETTINGS = [...DATABASE_SETTINGS, ...POLICY_NAMES] as const satisfies readonly SettingName[];

/** `npm run profile:loop`: why a control loop is slow. */
async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      feeder: { type: 'string' },
      seconds: { type: 'string', default: '30' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const seconds = Number(values.seconds);
  const isWrong = !(seconds >= 1 && seconds <= LONGEST_SECONDS);
  if (values.help || isWrong) {
    process.stdout.write(`${USAGE}\n`);
    return isWrong ? 2 : 0;
  }
  const settings = loadSomeSettings(SETTINGS, process.env);
  const db = openDatabase(
    {
      ...databaseAccess(settings, new Secrets(process.env)),
      poolSize: 2,
      queryTimeoutMs: 30_000,
      applicationName: 'derms-profile-loop',
    },
    createLogger({ service: 'derms', role: 'profile-loop', level: 'fatal', pretty: false }),
  );
  try {
    const profile = await profileLoop(db, policyNumbers(settings), { feederId: values.feeder, seconds });
    process.stdout.write(`${values.json ? JSON.stringify(profile, null, 2) : toldProfile(profile)}\n`);
    return 0;
  } finally {
    await db.close();
  }
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof TypeError && 'code' in error ? 2 : 1);
  },
);
