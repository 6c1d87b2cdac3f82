import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { authorityOf, type ProductionShape } from './shape';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

const WITHIN_MS = 15_000;

/** The API as callers see it: by HAProxy's address, its certificate checked. */
export function callApi(shape: Pick<ProductionShape, 'apiUrl' | 'ground'>, token?: string): Call {
  const ca = readFileSync(authorityOf(shape));
  return (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const json = body === undefined ? undefined : JSON.stringify(body);
      const asked = request(
        new URL(path, shape.apiUrl),
        {
          ...{ method, ca, agent: false, timeout: WITHIN_MS },
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(json === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const isJson = response.headers['content-type']?.includes('json') === true;
            // Checked by who asked for it.
            const parsed = isJson ? (JSON.parse(text) as Record<string, unknown>) : { text };
            resolve({ status: response.statusCode ?? 0, body: parsed });
          });
        },
      );
      asked.once('error', reject);
      asked.once('timeout', () => asked.destroy(new Error(`no answer in ${String(WITHIN_MS)} ms`)));
      asked.end(json);
    });
}

/** Signs in as the one whom `npm run setup:env` has made. */
export async function signedIn(shape: ProductionShape): Promise<Call> {
  const { DERMS_USER: user, DERMS_PASSWORD: password } = shape.secrets;
  const { status, body } = await callApi(shape)('POST', '/api/auth/login', { user, password });
  if (status !== 200) throw new Error(`${user ?? ''} could not sign in: ${String(status)} ${JSON.stringify(body)}`);
  return callApi(shape, String(body['accessToken']));
}
