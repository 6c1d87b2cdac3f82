import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorsHtml, errorsMarkdown } from '../../api/error-page-html';
import { ERROR_CODES } from '../../domain/errors';

const PAGE = readFileSync(join(__dirname, '../../docs/errors.md'), 'utf8');

describe('docs/errors.md', () => {
  it('has every code, and no other, in the order of domain/errors.ts', () => {
    expect([...PAGE.matchAll(/^## (\w+)$/gm)].map(([, code]) => code)).toEqual([...ERROR_CODES]);
  });

  it('reads as api/error-pages.ts says; node docs/write-errors.mjs writes it', () => {
    expect(PAGE).toBe(errorsMarkdown());
  });

  it('is served with an anchor for each code, which the type of a problem links to', () => {
    expect([...errorsHtml().matchAll(/<section id="(\w+)">/g)].map(([, code]) => code)).toEqual([...ERROR_CODES]);
  });
});
