import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime, type WorkflowBundleWithSourceMap } from '@temporalio/worker';

const WORKFLOWS = join(__dirname, '../../workflows/index.ts');

/** Once per test file, before any worker: the SDK logs errors only. */
export const quietRuntime = (): void => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
  });
};

/** The workflows as a worker would run them. */
export const workflowBundle = (): Promise<WorkflowBundleWithSourceMap> =>
  bundleWorkflowCode({ workflowsPath: WORKFLOWS, logger: new DefaultLogger('ERROR') });
