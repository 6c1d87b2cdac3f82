import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');

export interface BuildWithJobs {
  /** In place of the checkout's own `dist/`. */
  readonly dist: string;
  remove(): void;
}

/** Our programs as they are built, with further jobs in their folder, as if somebody had added the files. */
export function buildWithJobs(jobs: readonly { readonly fileName: string; readonly source: string }[]): BuildWithJobs {
  const folder = mkdtempSync(join(tmpdir(), 'derms-build-'));
  const dist = join(folder, 'dist');
  cpSync(join(ROOT, 'dist'), dist, { recursive: true });
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(ROOT, name), join(folder, name));
  for (const { fileName, source } of jobs) {
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true },
    });
    writeFileSync(join(dist, 'jobs', `${basename(fileName, '.ts')}.js`), outputText);
  }
  return {
    dist,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A job that lies among the tests, as it would be written in `jobs/`. */
export const jobFile = (path: string): { readonly fileName: string; readonly source: string } => ({
  fileName: basename(path),
  source: readFileSync(path, 'utf8').replaceAll(/'(\.\.\/)+jobs\//g, "'./"),
});
