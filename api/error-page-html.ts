import { ERROR_CODES } from '../domain/errors';
import { ERROR_PAGES } from './error-pages';

/** `docs/errors.md`, as it must read; a test keeps the file equal. */
export const errorsMarkdown = (): string =>
  [
    '# Errors',
    '',
    'Every failure that has a name: what it means and what to do. An answer that is no success is',
    '`application/problem+json` (RFC 9457) with one of these in `code`; its `type` links here, and its `requestId` is',
    'also in the log. Made from `api/error-pages.ts`; codes are never used again once they are retired.',
    '',
    ...ERROR_CODES.flatMap((code) => {
      const { status, title, meaning, remedy } = ERROR_PAGES[code];
      return [`## ${code}`, '', `**${title}** (HTTP ${String(status)}).`, '', meaning, '', `What to do: ${remedy}`, ''];
    }),
  ].join('\n');

/** The same as a page without script, each code with an anchor. */
export const errorsHtml = (): string =>
  [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Errors of the DERMS API</title>',
    '<link rel="icon" href="/api/docs/favicon-32x32.png">',
    '<link rel="stylesheet" href="/api/docs/page.css"></head><body><h1>Errors</h1>',
    ...ERROR_CODES.map((code) => {
      const { status, title, meaning, remedy } = ERROR_PAGES[code];
      return (
        `<section id="${code}"><h2>${code}</h2><p><strong>${escaped(title)}</strong> (HTTP ${String(status)}).</p>` +
        `<p>${escaped(meaning)}</p><p>What to do: ${escaped(remedy)}</p></section>`
      );
    }),
    '</body></html>\n',
  ].join('\n');

/** Text for HTML; what stands in backticks is code. */
const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>');
