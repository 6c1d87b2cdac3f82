import { createHash } from 'node:crypto';
import type { Response } from 'express';
import type { Answer, Route } from './route';

/** Of 256 bits: enough to tell two answers of one path apart. */
const TAG_LENGTH = 16;

/**
 * Sends an answer as JSON. What is read has an `ETag` of what it says, after the revision where there is one, and who
 * sends it back as `If-None-Match` is told 304 while it says the same. Only the revision counts for `If-Match`: who edits
 * says what they saw of the registry, not of the flow at that moment.
 */
export function sendJson(route: Route, { status, body, headers = {} }: Answer, response: Response): void {
  const text = JSON.stringify(body);
  response
    .status(status)
    .set({ 'Cache-Control': 'no-store', ...headers })
    .type('application/json');
  if (route.method === 'get' && status === 200) sendTagged(text, tagOf(text, headers['ETag']), response);
  else response.send(text);
}

/** Of what a page or a document says. */
export function tagOf(text: string | Buffer, revision?: string): string {
  const digest = createHash('sha256').update(text).digest('base64url').slice(0, TAG_LENGTH);
  return revision === undefined ? `"${digest}"` : `"${revision.replaceAll('"', '')}-${digest}"`;
}

/** Not by Express, which sends all of it again to whoever asks past the caches, as scripts on Node do by themselves. */
export function sendTagged(content: string | Buffer, tag: string, response: Response): void {
  response.set('ETag', tag);
  const known = (response.req.get('If-None-Match') ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''));
  if (known.includes(tag) || known[0] === '*') response.status(304).end();
  else response.send(content);
}
