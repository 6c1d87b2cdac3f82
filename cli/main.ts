import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parse } from 'dotenv';
import { run } from './run';

/** Written by `npm start`; the real environment wins. */
const LOCAL = join('.local', 'derms.env');

async function main(): Promise<number> {
  const local = existsSync(LOCAL) ? parse(readFileSync(LOCAL)) : {};
  return run(
    process.argv.slice(2),
    {
      print: (text) => process.stdout.write(`${text}\n`),
      input: process.stdin,
      askSecret,
      environment: { ...local, ...process.env },
      now: () => new Date(),
    },
    (text) => process.stderr.write(`${text}\n`),
  );
}

/** Readline with its echo kept back. */
function askSecret(question: string): Promise<string> {
  process.stderr.write(question);
  const terminal = createInterface({ input: process.stdin, terminal: true });
  return new Promise((resolve) => {
    terminal.once('line', (line) => {
      terminal.close();
      process.stderr.write('\n');
      resolve(line);
    });
  });
}

main().then(
  (code) => process.exit(code), // a client that hangs keeps nobody waiting
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(2);
  },
);
