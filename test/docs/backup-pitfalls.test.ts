import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/backup-pitfalls.md'), 'utf8');
const rows = [...page.matchAll(/^\| (\d+) \| (.+?) \| `(.+?)` › (.+?) \|$/gm)].map(
  ([, number, pitfall, file, title]) => ({ number: Number(number), pitfall, file: file!, title: title! }),
);
const MOST = 15;

describe('the pitfalls of backups and failover', () => {
  it('each have a test', () => {
    const numbers = Array.from({ length: MOST }, (_, index) => index + 1);
    expect([...new Set(rows.map(({ number }) => number))]).toEqual(numbers);
    expect(page.split('\n').filter((line) => /^\| \d/.test(line))).toHaveLength(rows.length);
  });

  it.each(rows)('$number: $pitfall: the test is there', ({ file, title }) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
    expect(readFileSync(join(ROOT, file), 'utf8').split(`'${title}`)).toHaveLength(2);
  });
});
