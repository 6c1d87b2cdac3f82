import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A program as an operator configures one for a drill; what it is asked for is done by this process. */
export interface OperatorsProgram {
  readonly words: readonly string[];
  /** The arguments of each call so far. */
  readonly calls: readonly (readonly string[])[];
  close(): Promise<void>;
}

const PROGRAM = `
fetch(process.argv[1], { method: 'POST', body: JSON.stringify(process.argv.slice(2)) }).then(async (answer) => {
  if (!answer.ok) throw new Error(await answer.text());
}).catch((error) => { console.error(String(error)); process.exitCode = 1; });
`;

export async function operatorsProgram(deed: (args: readonly string[]) => Promise<void>): Promise<OperatorsProgram> {
  const calls: (readonly string[])[] = [];
  const server = createServer((request, response) => {
    const answer = (status: number, text: string): unknown => response.writeHead(status).end(text);
    bodyOf(request)
      .then(async (body) => {
        const args = JSON.parse(body) as string[];
        calls.push(args);
        await deed(args);
        answer(200, 'done');
      })
      .catch((error: unknown) => answer(500, String(error)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
  return {
    calls,
    words: [process.execPath, '-e', PROGRAM, url],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  return text;
}
