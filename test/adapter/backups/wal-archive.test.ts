import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveFile, readArchived, type WalArchive } from '../../../backups/wal/archive-file';
import { walKey } from '../../../backups/wal/archive-key';
import { restoreFile } from '../../../backups/wal/restore-file';
import { eventually } from '../../support/servers';
import { startArchivingPostgres, type ArchivingPostgres } from '../../support/archiving-postgres';
import { keyRing } from '../../support/keys';

let postgres: ArchivingPostgres;
let archive: WalArchive;
let segment: string;
beforeAll(async () => {
  postgres = await startArchivingPostgres();
  archive = await postgres.archive();
  segment = await postgres.switchSegment();
});
afterAll(() => postgres.remove());

/** As the server runs it: in the data folder. */
const run = (command: string): { status: number | null; stderr: string } => {
  const { status, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd: postgres.server.dataDir, encoding: 'utf8' });
  return { status, stderr };
};
const restore = (name: string, path: string) => run(postgres.restoreCommand.replace('%f', name).replace('%p', path));
const archiveIt = (path: string, name: string) =>
  run(postgres.restoreCommand.replace('restore %f %p', `archive ${path} ${name}`));

/** Where the server keeps it; it stays there for a while after it was archived. */
const original = (name: string): string => join(postgres.server.dataDir, 'pg_wal', name);

it('a segment that the server has archived comes back as it was, and is not to be read where it lies', async () => {
  const path = join(postgres.folder, 'restored');
  expect(restore(segment, path)).toEqual({ status: 0, stderr: '' });
  const content = readFileSync(original(segment));
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(statSync(path).size).toBe(16 * 1024 ** 2);
  const pieces: Uint8Array[] = [];
  for await (const piece of await postgres.storage.get(walKey(archive.systemId, segment))) pieces.push(piece);
  expect(Buffer.concat(pieces).subarray(0, 8).toString()).toBe('DERMSENC');
});

it('the same segment may be archived again; another one under its name is refused, and the first stays', async () => {
  expect(archiveIt(original(segment), segment)).toEqual({ status: 0, stderr: '' });
  const altered = Buffer.from(readFileSync(original(segment)));
  altered.writeUInt8(altered.readUInt8(20_000) ^ 1, 20_000);
  writeFileSync(join(postgres.folder, 'altered'), altered, { mode: 0o644 });
  const { status, stderr } = archiveIt(join(postgres.folder, 'altered'), segment);
  expect(status).toBe(1);
  expect(stderr).toMatch(`${segment} is archived with another content`);
  expect((await readArchived(archive, segment)).equals(readFileSync(original(segment)))).toBe(true);
});

describe('a segment is refused', () => {
  const next = (): string => segment.slice(0, -2) + 'F0';
  it.each([
    ['that was cut', (content: Buffer) => content.subarray(0, 1_000_000), /has 1000000 bytes of 16777216/],
    ['that is empty', () => Buffer.alloc(0), /has only 0 bytes/],
    ['of zeros', (content: Buffer) => Buffer.alloc(content.length), /does not begin as a segment/],
    ['of another place', (content: Buffer) => content, /holds timeline 1 from/],
    [
      'of another cluster',
      (content: Buffer) => {
        const other = Buffer.from(content);
        other.writeBigUInt64LE(7n, 24);
        return other;
      },
      /is of cluster 7, not of/,
    ],
  ])('%s', async (_what, make, reason) => {
    const path = join(postgres.folder, 'refused');
    writeFileSync(path, make(readFileSync(original(segment))));
    await expect(archiveFile(archive, path, next())).rejects.toThrow(reason);
    expect(await postgres.archivedNames()).not.toContain(next());
  });
});

it('histories and labels of backups are archived too; what has no name of the log is not', async () => {
  const path = join(postgres.folder, 'note');
  writeFileSync(path, '1\t0/3000000\tno recovery target specified\n');
  expect(await archiveFile(archive, path, '00000002.history')).toBe('stored');
  expect(await archiveFile(archive, path, '00000002.history')).toBe('was-there');
  expect(await archiveFile(archive, path, `${segment}.00000028.backup`)).toBe('stored');
  await expect(archiveFile(archive, path, 'postgresql.conf')).rejects.toThrow('is no file of the write-ahead log');
});

describe('restore_command', () => {
  it('says with 1 that there is no such file, and leaves none', () => {
    const path = join(postgres.folder, 'missing');
    expect(restore('0000000100000000000000EE', path)).toEqual({ status: 1, stderr: '' });
    expect(() => statSync(path)).toThrow('ENOENT');
  });

  it('stops recovery when the archive cannot be read, as if the log ended there it must not go on', () => {
    const path = join(postgres.folder, 'unreadable');
    const withoutKey = postgres.restoreCommand.replace(/"--env" "[^"]*"/, `"--env" "${path}.env"`);
    writeFileSync(`${path}.env`, `BACKUP_STORAGE=file://${postgres.folder}/backups\n`);
    const { status, stderr } = run(withoutKey.replace('%f', segment).replace('%p', path));
    expect([status, stderr]).toEqual([200, 'derms wal: BACKUP_ENCRYPTION_KEYS: is required and missing\n']);
  });

  it('refuses a segment that was altered in storage, and one of another key', async () => {
    const key = walKey(archive.systemId, segment);
    const wrong = { ...archive, keyRing: keyRing('test') };
    await expect(restoreFile(wrong, segment, join(postgres.folder, 'x'))).rejects.toMatchObject({
      reason: 'wrong-key',
    });
    const file = join(postgres.folder, 'backups', key);
    const whole = readFileSync(file);
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(flipped.length - 100) ^ 1, flipped.length - 100);
    writeFileSync(file, flipped);
    expect(restore(segment, join(postgres.folder, 'x'))).toMatchObject({ status: 200 });
    writeFileSync(file, whole);
  });
});

it('while storage refuses, the server keeps its segments, counts failures, and catches up afterwards', async () => {
  const failures = async (): Promise<number> =>
    Number((await postgres.query<{ n: string }>('select failed_count as n from pg_stat_archiver'))[0]!.n);
  const [row] = await postgres.query<{ name: string }>('select pg_walfile_name(pg_current_wal_insert_lsn()) as name');
  // Another content under the name of the coming segment stands for whatever keeps it from being stored.
  const blocked = walKey(archive.systemId, row!.name);
  const junk = join(postgres.folder, 'backups', blocked);
  writeFileSync(junk, 'not ours');
  const before = await failures();
  await postgres.query("select pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()");
  await eventually(async () => expect(await failures()).toBeGreaterThan(before), 20_000);
  expect(statSync(original(row!.name)).size).toBe(16 * 1024 ** 2);
  rmSync(junk);
  await postgres.query('select pg_reload_conf()');
  await eventually(async () => {
    expect((await readArchived(archive, row!.name)).length).toBe(16 * 1024 ** 2);
  }, 60_000);
}, 90_000);
