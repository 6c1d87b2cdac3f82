import { z } from 'zod';
import { createApiClient } from '../api-client';
import type { Command } from '../context';
import { readOptions } from '../options';
import { table } from '../table';
import { ageText } from '../times';

const USAGE = 'derms backups [--kind dump|base|mqtt] [--state S] [--limit 20] [--json]';

const backupSchema = z.looseObject({
  backupId: z.string(),
  kind: z.string(),
  takenAt: z.string(),
  storedBytes: z.number(),
  state: z.string(),
  checkedAt: z.string().nullable(),
});
type Backup = z.output<typeof backupSchema>;

/** What lies in storage, newest first, and how far it is proven. Exit code 1 when the newest of a kind is not. */
export const backups: Command = async (argv, { print, environment, now }) => {
  const text = { type: 'string' } as const;
  const { values } = readOptions(USAGE, argv, {
    ...{ kind: text, state: text },
    limit: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  });
  const query = new URLSearchParams({ limit: values.limit });
  for (const name of ['kind', 'state'] as const) {
    const value = values[name];
    if (value !== undefined) query.set(name, value);
  }
  const { items } = await createApiClient(environment).call(z.looseObject({ items: z.array(backupSchema) }), {
    method: 'GET',
    path: `/api/backups?${query.toString()}`,
  });
  print(values.json ? JSON.stringify(items) : inTable(items, now()));
  return values.state === undefined && items.some((backup) => isNewestUnproven(backup, items)) ? 1 : 0;
};

const PROVEN: readonly string[] = ['verified', 'restored'];
const isNewestUnproven = (backup: Backup, all: readonly Backup[]): boolean =>
  all.find(({ kind, state }) => kind === backup.kind && state !== 'deleted') === backup &&
  !PROVEN.includes(backup.state);

const inTable = (all: readonly Backup[], now: Date): string =>
  all.length === 0
    ? 'No such backup is on record. What storage itself says: npm run restore -- --list'
    : table([
        ['TAKEN AT', 'AGE', 'KIND', 'STATE', 'LOOKED AT', 'STORED MB', 'ID'],
        ...all.map(({ takenAt, kind, state, checkedAt, storedBytes, backupId }) => [
          takenAt.slice(0, 19),
          ageOf(takenAt, now),
          kind,
          state,
          checkedAt === null ? 'never' : `${ageOf(checkedAt, now)} ago`,
          (storedBytes / 1e6).toFixed(1),
          backupId,
        ]),
      ]);

const ageOf = (at: string, now: Date): string => ageText((now.getTime() - Date.parse(at)) / 1_000);
