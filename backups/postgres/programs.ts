import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { toolEnvironment, type Tool } from '../../servers/tool';

/** PostgreSQL's programs, all in one folder and of one version; and zstd. */
export interface BackupPrograms {
  readonly postgres: PostgresFolder;
  readonly zstd: Tool;
}

export interface PostgresFolder {
  readonly bin: string;
  /** For LD_LIBRARY_PATH, when their libraries lie in a folder of their own. */
  readonly libraryPath?: string;
}

/** Where an operator says that they are; what is left out is looked for. */
export interface ProgramPlaces {
  readonly postgresBin?: string | undefined;
  readonly postgresLibraries?: string | undefined;
  readonly zstd?: string | undefined;
  readonly zstdLibraries?: string | undefined;
}

/** Debian's layout: one folder for each major version. */
const VERSIONED = '/usr/lib/postgresql';
const USUAL_FOLDERS = ['/usr/local/bin', '/opt/homebrew/bin'];

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
  const zstdFolder = findOnPath('zstd');
  const zstd = places.zstd ?? (zstdFolder === null ? null : join(zstdFolder, 'zstd'));
  if (zstd === null || !isProgram(zstd))
    throw new Error(`zstd is not ${zstd === null ? 'installed' : zstd}: set ZSTD_PATH`);
  return {
    postgres: { bin, ...(places.postgresLibraries === undefined ? {} : { libraryPath: places.postgresLibraries }) },
    zstd: { path: zstd, ...(places.zstdLibraries === undefined ? {} : { libraryPath: places.zstdLibraries }) },
  };
}

/** One of PostgreSQL's programs as a tool of its own. */
export const postgresTool = ({ bin, libraryPath }: PostgresFolder, program: string): Tool => ({
  path: join(bin, program),
  ...(libraryPath === undefined ? {} : { libraryPath }),
});

/** What a program of somebody else gets to know of our environment: no setting, and above all no secret, of ours. */
export function bareEnvironment(tool: { readonly libraryPath?: string }): NodeJS.ProcessEnv {
  const handedOn = Object.entries(toolEnvironment(tool)).filter(([name]) => HANDED_ON.test(name));
  return { ...Object.fromEntries(handedOn), LC_ALL: 'C', TZ: 'UTC' };
}

const HANDED_ON = /^(PATH|HOME|TMPDIR|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|PGSSL[A-Z]*)$/;

function findFolder(program: string): string | null {
  const newest = versionFolders().find((folder) => isProgram(join(folder, program)));
  return newest ?? findOnPath(program);
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

function findOnPath(program: string): string | null {
  const path = toolEnvironment({})['PATH'] ?? '';
  const folders = [...path.split(delimiter).filter((folder) => folder !== ''), ...USUAL_FOLDERS];
  return folders.find((folder) => isProgram(join(folder, program))) ?? null;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
