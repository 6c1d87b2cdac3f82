import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { filesOf, type PreviousRelease } from './previous-release';

const FOLDER = 'test/replay/histories';

/** Recorded histories of this release and of the one before, those that were recorded anew too. */
export function historiesOf(root: string, previous: PreviousRelease): Map<string, string> {
  const ours = readdirSync(join(root, FOLDER)).map(
    (name) => [`${FOLDER}/${name}`, readFileSync(join(root, FOLDER, name), 'utf8')] as const,
  );
  const theirs = [...filesOf(previous, FOLDER, root)].map(
    ([name, text]) => [`${previous.version}: ${name}`, text] as const,
  );
  return new Map([...ours, ...theirs]);
}

/** Runs each on a bundle of workflow code, and says which it does not follow. */
export async function replayFaults(codePath: string, histories: ReadonlyMap<string, string>): Promise<string[]> {
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
  const faults: string[] = [];
  for (const [name, text] of histories) {
    try {
      const workflowId = basename(name, '.json');
      const history: unknown = JSON.parse(text);
      await Worker.runReplayHistory({ workflowBundle: { codePath } }, history, workflowId);
    } catch (error) {
      faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return faults;
}
