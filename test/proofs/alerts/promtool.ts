import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readToolchain } from '../../../local/toolchain';
import { toolEnvironment } from '../../../servers/tool';

/** Prometheus' own tool; rejects with what it says when it is not content. */
export const promtool = (...args: string[]): Promise<string> => runTool('promtool', ...args);

/** The same of Prometheus' and Alertmanager's tools. */
export const runTool = async (name: 'promtool' | 'amtool', ...args: string[]): Promise<string> => {
  const tool = readToolchain()[name];
  if (tool === undefined)
    throw new Error(
      `NOT RUN: this proof needs ${name}. \`node local/setup/setup.mjs --proofs\` installs it, or says what to type`,
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
