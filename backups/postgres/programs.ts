import { accessSync, constants, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findProgram } from '../../servers/find-program';
import { toolEnvironment, type PostgresTools, type Tool } from '../../servers/tool';
import { LONGEST_SILENCE_MS, type SilenceLimit } from '../silence';

/** What backups and restores run. */
export interface BackupPrograms {
  readonly postgres: PostgresTools;
  readonly zstd: Tool;
  /** They are ended when they move nothing for this long. Default `LONGEST_SILENCE_MS`. */
  readonly longestSilenceMs?: number;
}

/** Where an operator says that they are; what is left out is looked for. */
export interface ProgramPlaces {
  readonly postgresBin?: string | undefined;
  readonly postgresLibraries?: string | undefined;
  readonly zstd?: string | undefined;
  readonly zstdLibraries?: string | undefined;
  readonly longestSilenceMs?: number;
}

/** Debian's layout: one folder for each major version. */
const VERSIONED = '/usr/lib/postgresql';

/**
 * The programs that backups and restores run. Where several versions are installed the newest is taken: a dump needs one
 * that is not older than the server.
 *
 * @throws {Error} saying what is missing and which setting names its place.
 */
export function findBackupPrograms(places: ProgramPlaces): BackupPrograms {
  const bin = places.postgresBin ?? findFolder('pg_dump');
  if (bin === null || !isProgram(join(bin, 'pg_dump')))
    throw new Error(`PostgreSQL's programs are not ${bin === null ? 'installed' : `in ${bin}`}: set POSTGRES_BIN_DIR`);
  const zstd = places.zstd ?? findProgram('zstd');
  if (zstd === undefined || !isProgram(zstd)) throw new Error(`zstd is not ${zstd ?? 'installed'}: set ZSTD_PATH`);
  return {
    postgres: { bin, ...(places.postgresLibraries === undefined ? {} : { libraryPath: places.postgresLibraries }) },
    zstd: { path: zstd, ...(places.zstdLibraries === undefined ? {} : { libraryPath: places.zstdLibraries }) },
    longestSilenceMs: places.longestSilenceMs ?? LONGEST_SILENCE_MS,
  };
}

/** One of PostgreSQL's programs as a tool of its own. */
export const postgresTool = ({ bin, libraryPath }: PostgresTools, program: string): Tool => ({
  path: join(bin, program),
  ...(libraryPath === undefined ? {} : { libraryPath }),
});

/** How long these programs may be silent, and who is asked before one is ended for it. */
export const silenceOf = (
  { longestSilenceMs: ms = LONGEST_SILENCE_MS }: Pick<BackupPrograms, 'longestSilenceMs'>,
  isWorking?: SilenceLimit['isWorking'],
): SilenceLimit => ({ ms, ...(isWorking === undefined ? {} : { isWorking }) });

/** Of these programs, whose words we read. */
export const bareEnvironment = (tool: { readonly libraryPath?: string }): NodeJS.ProcessEnv => ({
  ...toolEnvironment(tool),
  ...{ LC_ALL: 'C', TZ: 'UTC' },
});

function findFolder(program: string): string | null {
  const newest = versionFolders().find((folder) => isProgram(join(folder, program)));
  const onPath = findProgram(program);
  return newest ?? (onPath === undefined ? null : dirname(onPath));
}

function versionFolders(): string[] {
  try {
    return readdirSync(VERSIONED)
      .filter((name) => /^\d+$/.test(name))
      .sort((a, b) => Number(b) - Number(a))
      .map((name) => join(VERSIONED, name, 'bin'));
  } catch {
    return []; // not a Debian
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
