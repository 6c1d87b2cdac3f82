import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkDirectory } from '../../../storage/bucket-check';

const folder = mkdtempSync(join(tmpdir(), 'derms-rules-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('a directory of backups', () => {
  it.each`
    mode     | enforced | detail
    ${0o700} | ${true}  | ${'mode 0700'}
    ${0o750} | ${false} | ${'mode 0750'}
    ${0o701} | ${false} | ${'mode 0701'}
  `('with $detail is private: $enforced', async ({ mode, enforced, detail }: Record<string, never>) => {
    chmodSync(folder, mode!);
    const [rule, owner] = await checkDirectory(folder);
    expect(rule).toEqual({ rule: 'private', enforced, detail });
    expect(owner).toMatchObject({ rule: 'owned', enforced: true });
  });

  it('that is not there yet will be made as it should be', async () => {
    await expect(checkDirectory(join(folder, 'later'))).resolves.toEqual([
      { rule: 'private', enforced: true, detail: 'is made with the first backup' },
      { rule: 'owned', enforced: true, detail: 'is made with the first backup' },
    ]);
  });
});
