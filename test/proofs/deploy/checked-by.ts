import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readToolchain, type InstalledTool, type Toolchain } from '../../../local/toolchain';

type Name = 'kustomize' | 'composego' | 'kubescore' | 'pythonChecks';

/** Runs a tool that the set-up found; rejects with all that it says when it is not content. */
export async function checkedBy(program: string, ...args: string[]): Promise<string> {
  const run = promisify(execFile)(program, args, { maxBuffer: 16 * 1024 * 1024 });
  return run.then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }; // of execFile
      throw new Error(`${stdout}\n${stderr}`);
    },
  );
}

/** Proofs without their tool have not run, and say so rather than pass. */
export function tool(name: Name): string {
  const found: InstalledTool | undefined = (readToolchain() as Pick<Toolchain, Name>)[name];
  if (found !== undefined) return found.path;
  throw new Error(
    `NOT RUN: this proof needs ${name}. \`node local/setup/setup.mjs --proofs\` installs it, or says what to type`,
  );
}
