import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { releaseOf } from '../../local/release/previous-release';
import { commandsIn } from '../support/runbook-commands';

const ROOT = join(__dirname, '../..');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
/** npm's own, and ours by name. */
const isScript = (words: readonly string[]): boolean =>
  words[1] === 'run' ? words.slice(2).some((word) => word in scripts) : words[1]! in scripts;

// The pages that a newcomer and a stranger read first: what they say to type is there. `npm start`, `npm test`, the hook, what is
// said of a release and of the audit log are run by tests of their own.
describe.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md'])('%s', (page) => {
  const commands = commandsIn(readFileSync(join(ROOT, page), 'utf8'), page).filter(({ kind }) => kind === 'shell');

  it('tells something to type', () => {
    expect(commands.length).toBeGreaterThan(1);
  });

  it.each(commands.map(({ text }) => text))('%s', (text) => {
    expect(spawnSync('bash', ['-n', '-c', text], { encoding: 'utf8' }).stderr).toBe('');
    const words = text.split(/\s+/);
    switch (words[0] ?? '') {
      case 'npm':
        expect([text, isScript(words)]).toEqual([text, true]);
        break;
      case 'node':
        expect([text, existsSync(join(ROOT, words[1]!))]).toEqual([text, true]);
        break;
      case 'npx': {
        const at = words.indexOf('--selectProjects');
        expect(existsSync(join(ROOT, 'test', words[at + 1]!))).toBe(true);
        break;
      }
      default:
        expect(spawnSync('which', [words[0]!]).status).toBe(0);
    }
  });
});

it('the previous release is named by a version and a whole commit', () => {
  const { version, commit } = releaseOf(ROOT);
  expect([version, commit]).toEqual([
    expect.stringMatching(/^\d+\.\d+\.\d+(-\w+)?$/),
    expect.stringMatching(/^[0-9a-f]{40}$/),
  ]);
});
