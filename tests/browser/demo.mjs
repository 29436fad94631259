// The running demo, and browsers on it. Everything that is started here is ended here.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.env.BROWSER_PACKAGES}/`);
const { chromium } = require('playwright-core');

/** How long the demo may take to tell its story and be ready, in milliseconds. */
const READY_WITHIN = 60_000;

/**
 * Starts `trunkline ARGS`. It is ready when `read`, which is given every line, has given something; that is given on, with what
 * was said, and `stop`.
 */
async function launch(args, read) {
  const process_ = spawn(process.env.TRUNKLINE, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  const stop = async () => {
    if (process_.exitCode !== null || process_.signalCode !== null) return;
    process_.kill('SIGTERM');
    const timer = setTimeout(() => process_.kill('SIGKILL'), 25_000);
    await once(process_, 'exit');
    clearTimeout(timer);
  };
  try {
    const found = await new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${why}; it said:\n${said.join('\n')}`));
      const timer = setTimeout(() => fail(`trunkline ${args[0]} was not ready in time`), READY_WITHIN);
      const hear = (line) => {
        said.push(line);
        const result = read(line);
        if (!result) return;
        clearTimeout(timer);
        resolve(result);
      };
      createInterface({ input: process_.stdout }).on('line', hear);
      createInterface({ input: process_.stderr }).on('line', hear);
      process_.once('error', (error) => fail(error.message));
      process_.once('exit', (code) => fail(`trunkline ${args[0]} ended with ${code}`));
    });
    return { found, said, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts `trunkline demo` on free ports, with data that is gone afterwards. */
export async function startDemo() {
  const links = {};
  const { said, stop } = await launch(
    ['demo', '--listen', '127.0.0.1:0', '--sandbox-listen', '127.0.0.1:0', '--log', 'warn'],
    (line) => {
      const found = /^\s*(Inbox|Phone|Systems)\s+(http:\S+)/.exec(line);
      if (found) links[found[1].toLowerCase()] = found[2];
      return links.inbox && links.phone && links.systems;
    },
  );
  return { ...links, sandbox: new URL(links.phone).origin, hub: new URL(links.inbox).origin, said, stop };
}

/** Starts `trunkline sandbox` on a free port, in memory; with SANDBOX set, the one at that address is used and emptied. */
export async function startSandbox() {
  if (process.env.SANDBOX) {
    const answer = await fetch(`${process.env.SANDBOX}/sandbox/v1/reset`, { method: 'POST' });
    if (!answer.ok) throw new Error(`the sandbox at SANDBOX answered ${answer.status}`);
    return { sandbox: process.env.SANDBOX, stop: async () => {} };
  }
  const ready = (line) => /ready at (http:\S+)/.exec(line)?.[1];
  const { found, stop } = await launch(['sandbox', '--listen', '127.0.0.1:0'], ready);
  return { sandbox: new URL(found).origin, stop };
}

/** The first owner of a hub of {@link startHub}. */
export const OWNER = { email: 'mei@example.tw', password: 'three cups of tea' };

/** Starts `trunkline serve` on a free port with an empty data folder, against a sandbox; its first owner was made by the command. */
export async function startHub(sandbox) {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-browser-'));
  const data = ['--data-dir', folder];
  const add = ['user', 'add', '--email', OWNER.email, '--role', 'owner', ...data];
  execFileSync(process.env.TRUNKLINE, add, { input: `${OWNER.password}\n`, stdio: ['pipe', 'ignore', 'inherit'] });
  const line = ['--line-api-url', '--line-data-url', '--line-access-url'].flatMap((flag) => [flag, sandbox]);
  line.push('--liff-url', new URL('/liff', sandbox).href);
  const ready = (text) => /Trunkline is ready at (http:\S+)/.exec(text)?.[1];
  const { found, said, stop } = await launch(['serve', '--listen', '127.0.0.1:0', '--log', 'warn', ...data, ...line], ready);
  const end = async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { hub: new URL(found).origin, said, stop: end };
}

/** Starts Chromium with a profile of its own. */
export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/**
 * Opens a browser window (cookies of its own) that collects into `trouble` whatever a person would call broken: errors on
 * the console, among them violations of the content security policy, exceptions, failed requests, and requests that leave
 * this machine.
 */
export async function openWindow(browser, trouble, options = {}) {
  const window_ = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: 'en-US',
    timezoneId: 'Asia/Taipei',
    ...options,
  });
  window_.setDefaultTimeout(10_000);
  const at = (page) => (page ? new URL(page.url()).pathname : '?');
  window_.on('console', (message) => {
    if (message.type() === 'error') trouble.push(`${at(message.page())}: console: ${message.text()}`);
  });
  window_.on('weberror', (error) => trouble.push(`${at(error.page())}: ${error.error().stack}`));
  window_.on('request', (request) => {
    const url = new URL(request.url());
    const isLocal = ['data:', 'blob:', 'about:'].includes(url.protocol) || url.hostname === '127.0.0.1';
    if (!isLocal) trouble.push(`left this machine: ${request.url()}`);
  });
  window_.on('response', (response) => {
    if (response.status() >= 400) trouble.push(`${response.status()} ${response.request().method()} ${response.url()}`);
  });
  return window_;
}
