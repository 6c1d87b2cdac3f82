import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApiFile } from '../../../api/openapi-file';
import { readToolchain, repositoryRoot } from '../../../local/toolchain';

// What docs/openapi.json promises still holds, by oasdiff; and oasdiff is shown to see what would break it.

const PROMISED = join(repositoryRoot(), 'docs/openapi.json');
const folder = mkdtempSync(join(tmpdir(), 'derms-openapi-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function breaking(document: string): Promise<{ readonly code: number; readonly said: string }> {
  const tool = readToolchain().oasdiff;
  if (tool === undefined)
    throw new Error(
      'NOT RUN: this proof needs oasdiff. `node local/setup/setup.mjs --proofs` builds it with Go, or says what to type',
    );
  const file = join(folder, 'present.json');
  writeFileSync(file, document);
  return new Promise((resolve) => {
    execFile(tool.path, ['breaking', PROMISED, file, '--fail-on', 'ERR'], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, said: `${stdout}${stderr}` });
    });
  });
}

interface Operation {
  responses: Record<string, unknown>;
  parameters: { name: string; in: string; required?: boolean; schema: object }[];
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
}

const changed = (change: (document: Document) => void): string => {
  const document = JSON.parse(readFileSync(PROMISED, 'utf8')) as Document;
  change(document);
  return JSON.stringify(document);
};

it('the API keeps what it has promised', async () => {
  const { code, said } = await breaking(openApiFile());
  expect([code, said]).toEqual([0, expect.any(String)]);
});

it.each<[string, (document: Document) => void]>([
  ['a route that is gone', ({ paths }) => delete paths['/api/devices/{deviceId}']],
  ['a method that is gone', ({ paths }) => delete paths['/api/feeders/{feederId}']!['patch']],
  ['an answer that is gone', ({ paths }) => delete paths['/api/devices']!['get']!.responses['200']],
  [
    'a parameter that is required from now on',
    ({ paths }) => {
      paths['/api/devices']!['get']!.parameters.push({
        ...{ name: 'site', in: 'query', required: true, schema: { type: 'string' } },
      });
    },
  ],
])('%s is found', async (_what, change) => {
  expect((await breaking(changed(change))).code).toBe(1);
});

it('what is only added breaks nobody', async () => {
  const added = changed(({ paths }) => {
    const { parameters } = paths['/api/devices']!['get']!;
    parameters.push({ name: 'site', in: 'query', schema: { type: 'string' } });
  });
  expect((await breaking(added)).code).toBe(0);
});
