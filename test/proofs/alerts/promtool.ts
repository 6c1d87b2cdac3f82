import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readToolchain } from '../../../local/toolchain';
import { toolEnvironment } from '../../../servers/tool';

/** Prometheus' own tool; rejects with what it says when it is not content. */
export const promtool = async (...args: string[]): Promise<string> => {
  const tool = readToolchain().promtool;
  if (tool === undefined)
    throw new Error(
      'NOT RUN: this proof needs promtool. `node local/setup/setup.mjs --proofs` installs it, or says what to type',
    );
  const run = promisify(execFile)(tool.path, args, { env: toolEnvironment(tool) });
  return run.then(
    ({ stdout }) => stdout,
    (error: unknown) => {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }; // of execFile
      throw new Error(`${stdout}\n${stderr}`);
    },
  );
};
