import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { Secrets } from '../../../config/secrets';
import { createLogger, type Logger } from '../../../observability/logger';

const SECRET = 'r9sKdT0aQz7cJm4Y';

/** What the process would write. */
function linesOf(secrets: ReadonlySet<string>, tell: (log: Logger) => void): string {
  const log = createLogger({ service: 'derms', role: 'test', level: 'info', pretty: false, secrets });
  const stream = Reflect.get(log, pino.symbols.streamSym) as { write: (line: string) => unknown };
  const written: string[] = [];
  const write = jest.spyOn(stream, 'write').mockImplementation((line) => written.push(line));
  tell(log);
  write.mockRestore();
  return written.join('');
}

describe('a log line', () => {
  const known = new Set([SECRET]);

  it('has fixed fields, and what nobody has to hide', () => {
    const line = linesOf(known, (log) => {
      log.info({ feederId: 'north' }, 'limit changed');
    });
    expect(JSON.parse(line)).toMatchObject({
      ...{ level: 'info', service: 'derms', role: 'test' },
      feederId: 'north',
      msg: 'limit changed',
    });
  });

  it.each<[string, (log: Logger) => void]>([
    [
      'a message',
      (log) => {
        log.warn({}, `could not log in with ${SECRET}`);
      },
    ],
    [
      'a field',
      (log) => {
        log.info({ note: SECRET }, 'x');
      },
    ],
    [
      'a field far inside',
      (log) => {
        log.info({ a: { b: { c: [{ d: `postgres://u:${SECRET}@h` }] } } }, 'x');
      },
    ],
    [
      'an error, its stack and its cause',
      (log) => {
        log.error({ err: new Error(`no ${SECRET}`, { cause: new Error(SECRET) }) }, 'x');
      },
    ],
    [
      'the name of a field',
      (log) => {
        log.info({ [SECRET]: 1 }, 'x');
      },
    ],
    [
      'a child’s field',
      (log) => {
        log.child({ runId: SECRET }).info('x');
      },
    ],
  ])('holds no secret in %s', (_where, tell) => {
    const line = linesOf(known, tell);
    expect(line).not.toContain(SECRET);
    expect(line).toContain('[redacted]');
    expect(() => {
      JSON.parse(line);
    }).not.toThrow();
    // The same line, for a process that does not know the secret: it would have been there.
    expect(linesOf(new Set(), tell)).toContain(SECRET);
  });

  it.each(['password', 'token', 'secret', 'authorization', 'hash', 'cookie'])(
    'holds no value named %s, known or not',
    (name) => {
      const line = linesOf(new Set(), (log) => {
        log.info({ [name]: 'plain-1', request: { [name]: 'plain-2', headers: { [name]: 'plain-3' } } }, 'x');
      });
      expect(line).not.toMatch(/plain-\d/);
    },
  );

  it('hides the new value of a secret whose file has changed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'derms-test-log-'));
    const file = join(folder, 'password');
    writeFileSync(file, 'the-first-one');
    const secrets = new Secrets({ DB_PASSWORD_FILE: file }, 'no.env');
    const read = secrets.reader('DB_PASSWORD', 'the-first-one');
    const both = linesOf(secrets.seen, (log) => {
      writeFileSync(file, 'the-second-one');
      log.info(`${read()} after the-first-one`);
    });
    rmSync(folder, { recursive: true });
    expect(both).toContain('"msg":"[redacted] after [redacted]"');
  });
});
