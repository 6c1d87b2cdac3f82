import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startTestSystem, type TestSystem } from '../../local/test-system';
import { buildWithJobs, type BuildWithJobs } from '../support/build-with-jobs';
import { tutorialCommands, tutorialJob, tutorialResult } from '../support/tutorial-job';

const run = promisify(execFile);
let build: BuildWithJobs;
let system: TestSystem;

beforeAll(async () => {
  build = buildWithJobs([tutorialJob()]);
  system = await startTestSystem({ dist: build.dist });
  await Promise.all([system.start('api'), system.start('worker')]);
}, 60_000);
afterAll(async () => {
  await system.stop();
  build.remove();
}, 30_000);

/** A command of the tutorial as a reader pastes it. */
async function paste(command: string): Promise<string> {
  const token = await system.signIn('operator');
  const script = command.replace('npm run derms --', `'${process.execPath}' '${join(build.dist, 'cli/main.js')}'`);
  const { stdout } = await run('sh', ['-c', `API=${system.apiUrl}; auth="authorization: Bearer ${token}"; ${script}`], {
    env: { ...process.env, ...system.environments.cli },
    cwd: system.stack.folder,
  });
  return stdout;
}

it('the job of the tutorial is one file: it is listed, runs from the command line and by HTTP, JSON in and result out', async () => {
  const [list = '', start = '', post = ''] = tutorialCommands();
  expect(await paste(list)).toMatch(/^three-phase-rating +when asked .*Works out the power that a three-phase line/m);

  const answered = await paste(start);
  expect(answered).toMatch(/^Run [0-9a-f-]{36} of three-phase-rating: succeeded in \d+ s\n/);
  expect(JSON.parse(answered.slice(answered.indexOf('{')))).toEqual(tutorialResult());

  expect(JSON.parse(await paste(post))).toMatchObject({
    state: 'succeeded',
    input: { voltageV: 400, currentA: 250 },
    result: tutorialResult(),
    log: [{ level: 'info', message: 'rating worked out' }],
  });

  const refused = JSON.parse(await paste(post.replace('"currentA": 250', '"currentA": -1'))) as { errors: unknown[] };
  expect(refused.errors).toEqual([expect.objectContaining({ pointer: '/currentA' })]);
}, 60_000);
