import { accessSync, constants } from 'node:fs';
import { findProgram } from '../../servers/find-program';
import type { Tool } from '../../servers/tool';
import { bareEnvironment, postgresTool, type BackupPrograms } from '../postgres/programs';
import { programText } from '../run-program';

/** What base backups run beside what dumps do. */
export interface BasePrograms extends BackupPrograms {
  readonly tar: Tool;
}

/** pg_verifybackup reads the log with pg_waldump. */
const NEEDED = ['pg_basebackup', 'pg_verifybackup', 'pg_waldump'];

/**
 * The programs for a base backup of a server of this major version. A dump is read by any newer version; a cluster's own
 * files are read by their own version only.
 *
 * @throws {Error} saying what is missing and which setting names its place.
 */
export async function findBasePrograms(programs: BackupPrograms, major: number): Promise<BasePrograms> {
  const { bin } = programs.postgres;
  const missing = NEEDED.filter((name) => !isProgram(postgresTool(programs.postgres, name).path));
  if (missing.length > 0)
    throw new Error(`${missing.join(' and ')} of PostgreSQL ${String(major)} are not in ${bin}: set POSTGRES_BIN_DIR`);
  const found = await versionOf(programs);
  if (Number.parseInt(found, 10) !== major)
    throw new Error(
      `the programs in ${bin} are PostgreSQL ${found}, the cluster is ${String(major)}: set POSTGRES_BIN_DIR`,
    );
  const tar = findProgram('tar');
  if (tar === undefined) throw new Error('tar is not installed');
  return { ...programs, tar: { path: tar } };
}

/** As they say it of themselves. */
export async function versionsOf({ postgres, zstd }: BackupPrograms): Promise<Record<string, string>> {
  const packer = await programText({ program: zstd.path, args: ['--version'], env: bareEnvironment(zstd) });
  return { pg_basebackup: await versionOf({ postgres }), zstd: versionIn(packer) };
}

async function versionOf({ postgres }: Pick<BackupPrograms, 'postgres'>): Promise<string> {
  const { path: program } = postgresTool(postgres, 'pg_basebackup');
  return versionIn(await programText({ program, args: ['--version'], env: bareEnvironment(postgres) }));
}

const versionIn = (text: string): string => /\d+(\.\d+)+/.exec(text)?.[0] ?? text.trim();

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
