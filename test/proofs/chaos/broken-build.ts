import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../../local/toolchain';

/** One line of one file, and what stands there instead. */
export interface Breakage {
  readonly file: string;
  readonly line: string;
  readonly instead: string;
}

/** Our programs as they are built, with one line put wrong on purpose; throws when the line is not there exactly once. */
export function brokenBuild({ file, line, instead }: Breakage): { readonly dist: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'derms-broken-'));
  const dist = join(folder, 'dist');
  cpSync(join(repositoryRoot(), 'dist'), dist, { recursive: true });
  for (const name of ['node_modules', 'package.json', 'console', 'docs'])
    symlinkSync(join(repositoryRoot(), name), join(folder, name));
  const path = join(dist, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(line).length !== 2) throw new Error(`${file} does not have this line once: ${line}`);
  writeFileSync(path, source.replace(line, instead));
  return {
    dist,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
