import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type Page } from 'playwright-core';
import { readToolchain } from '../../../local/toolchain';
import { startApp, type AppUnderTest } from '../../unit/api/app-under-test';

// The pages in a real browser: nothing of them is against their own policy, nothing comes from another host, and what a
// page of another origin may read is what CORS_ORIGINS says.

let browser: Browser;
let app: AppUnderTest;
let ours: Server;
let others: Server;

const listen = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
const originOf = (server: Server): string => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
const emptyPage = (): Server =>
  createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>elsewhere</title>');
  });

beforeAll(async () => {
  const tool = readToolchain().chromium;
  if (tool === undefined)
    throw new Error(
      'NOT RUN: this proof needs Chromium. `node local/setup/setup.mjs --proofs` installs it, or says what to type',
    );
  [ours, others] = [emptyPage(), emptyPage()];
  await Promise.all([listen(ours), listen(others)]);
  app = await startApp({
    settings: { corsOrigins: [originOf(ours)] },
    backups: { list: () => Promise.resolve([]) },
  });
  // As root Chromium has no sandbox; what it loads here is our own.
  browser = await chromium.launch({ executablePath: tool.path, args: ['--no-sandbox'] });
}, 120_000);
afterAll(async () => {
  await browser.close();
  await app.close();
  ours.close();
  others.close();
}, 30_000);

interface Seen {
  readonly page: Page;
  /** What the browser said against a page: violations of its policy, errors of its scripts, what could not be loaded. */
  readonly complaints: string[];
  readonly hosts: Set<string>;
}

async function look(url: string): Promise<Seen> {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 900 } });
  const complaints: string[] = [];
  const hosts = new Set<string>();
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText ?? ''}`));
  page.on('request', (request) => {
    if (/^(https?|wss?):/.test(request.url())) hosts.add(new URL(request.url()).host);
  });
  await page.addInitScript(`document.addEventListener('securitypolicyviolation', (event) => {
    console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI);
  });`);
  await page.goto(url, { waitUntil: 'networkidle' });
  return { page, complaints, hosts };
}

describe('the pages of the API', () => {
  it('show every operation, break no rule of their policy and ask no other host', async () => {
    const { page, complaints, hosts } = await look(`${app.url}/api/docs`);
    await page.waitForSelector('#operations-Dispatches-requestDispatch');
    await page.click('#operations-Dispatches-requestDispatch .opblock-summary-control');
    await page.waitForSelector('#operations-Dispatches-requestDispatch .opblock-body');
    const screenshot = process.env['SCREENSHOT_OF_DOCS'];
    if (screenshot !== undefined) await page.screenshot({ path: screenshot });
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(app.url).host]);
    await page.close();
  }, 60_000);

  it('of errors stand without any script', async () => {
    const { page, complaints, hosts } = await look(`${app.url}/api/docs/errors#TOO_MANY_REQUESTS`);
    expect(await page.textContent('#TOO_MANY_REQUESTS h2')).toBe('TOO_MANY_REQUESTS');
    expect([complaints, [...hosts]]).toEqual([[], [new URL(app.url).host]]);
    await page.close();
  }, 60_000);

  it('run no script that somebody wrote into them', async () => {
    const { page, complaints } = await look(`${app.url}/api/docs/errors`);
    const ran = await page.evaluate(`
      const script = document.createElement('script');
      script.textContent = 'window.injected = true';
      document.body.append(script);
      'injected' in window;
    `);
    expect([ran, complaints.some((text) => text.includes('script-src'))]).toEqual([false, true]);
    await page.close();
  }, 60_000);

  it('stand in no frame of another page', async () => {
    const { page } = await look(originOf(others));
    const text = await page.evaluate(`(async () => {
      const frame = document.createElement('iframe');
      frame.src = '${app.url}/api/docs/errors';
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
      document.body.append(frame);
      await loaded;
      return frame.contentDocument?.body.textContent ?? 'kept out';
    })()`);
    expect(text).toBe('kept out');
    const inside = page.frames().find((frame) => frame !== page.mainFrame());
    expect(await inside?.textContent('body')).not.toContain('TOO_MANY_REQUESTS');
    await page.close();
  }, 60_000);
});

describe('a script of another origin', () => {
  const read = async (from: Server): Promise<string> => {
    const { page } = await look(originOf(from));
    const answer = await page.evaluate<string>(`(async () => {
      try {
        const response = await fetch('${app.url}/api/backups', { headers: { authorization: 'Bearer none' } });
        return response.status + (response.headers.get('x-request-id') === null ? ' without' : ' with') + ' id';
      } catch {
        return 'kept from it';
      }
    })()`);
    await page.close();
    return answer;
  };

  it('that is listed reads answers with their headers', async () => {
    expect(await read(ours)).toBe('401 with id');
  }, 60_000);

  it('that is not listed is kept from them by the browser', async () => {
    expect(await read(others)).toBe('kept from it');
  }, 60_000);
});
