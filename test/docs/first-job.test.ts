import { join, relative } from 'node:path';
import ts from 'typescript';
import { tutorialCommands, tutorialJob } from '../support/tutorial-job';

const ROOT = join(__dirname, '../..');

// That it also runs is shown over real processes: test/e2e/first-job.test.ts.
describe('the tutorial of the first job', () => {
  it('shows a job that compiles as a file of jobs/', () => {
    const { fileName, source } = tutorialJob();
    expect(faultsOf(join(ROOT, 'jobs', fileName), source)).toEqual([]);
  });

  it('is checked by a compiler that finds faults', () => {
    const { fileName, source } = tutorialJob();
    expect(faultsOf(join(ROOT, 'jobs', fileName), source.replace('attempts: 2,', ''))).toEqual([
      expect.stringContaining('attempts'),
    ]);
  });

  it('shows commands for the list, a run and the same over HTTP', () => {
    expect(tutorialCommands().map((text) => text.split(' ').slice(0, 5).join(' '))).toEqual([
      'npm run derms -- jobs',
      'npm run derms -- job',
      'curl -s $API/api/jobs/three-phase-rating/runs -H "$auth"',
    ]);
  });
});

/** What the compiler says of a file that is not there. */
function faultsOf(path: string, source: string): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, ROOT);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.readFile = (name) => (name === path ? source : readFile(name));
  host.getSourceFile = (name, target, ...rest) =>
    name === path ? ts.createSourceFile(name, source, target) : getSourceFile(name, target, ...rest);
  const program = ts.createProgram([path], options, host);
  const found = [...program.getSyntacticDiagnostics(), ...program.getSemanticDiagnostics(program.getSourceFile(path))];
  return found.map(
    ({ file, messageText }) =>
      `${relative(ROOT, file?.fileName ?? '')}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
  );
}
