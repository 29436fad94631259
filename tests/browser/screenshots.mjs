// Pictures of the demo: `node screenshots.mjs FOLDER README_FOLDER`; called by scripts/screenshots.sh.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openWindow, startBrowser, startDemo } from './demo.mjs';

const [folder, readmeFolder] = process.argv.slice(2);
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const LANGUAGES = { 'zh-Hant': 'zh-TW', en: 'en-US' };
const THEMES = ['light', 'dark'];

const settle = async (page) => {
  await page.waitForLoadState('load');
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(500);
};

mkdirSync(folder, { recursive: true });
mkdirSync(readmeFolder, { recursive: true });
const trouble = [];
let demo;
let browser;
try {
  [demo, browser] = await Promise.all([startDemo(), startBrowser()]);
  const first = await openWindow(browser, trouble);
  const signIn = await first.newPage();
  await signIn.goto(demo.inbox);
  const storageState = await first.storageState();
  await first.close();

  // Each view: its name, and how a page gets there.
  const talk = async (page) => {
    await page.goto(`${demo.hub}/inbox`);
    await page.locator('.inbox-row-link', { hasText: '王思妤' }).click();
    await page.locator('#inbox-turns').waitFor();
    await page.mouse.move(0, 0);
  };
  const views = {
    inbox: (page) => page.goto(`${demo.hub}/inbox`),
    talk,
    connect: (page) => page.goto(`${demo.hub}/settings/accounts/new`),
    help: (page) => page.goto(`${demo.hub}/settings/help`),
    phone: (page) => page.goto(demo.phone),
  };
  const shoot = async (open, file, options) => {
    const window_ = await openWindow(browser, trouble, { storageState, ...options });
    const page = await window_.newPage();
    await open(page);
    await settle(page);
    await page.screenshot({ path: file });
    await window_.close();
  };
  // First, while the friends' reply tokens are young and answers are free.
  const readme = { viewport: { width: 1280, height: 800 }, colorScheme: 'light' };
  await shoot(talk, join(readmeFolder, 'inbox.png'), readme);
  await shoot(talk, join(readmeFolder, 'inbox.zh-Hant.png'), { ...readme, locale: LANGUAGES['zh-Hant'] });
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const [language, locale] of Object.entries(LANGUAGES)) {
      for (const colorScheme of THEMES) {
        for (const [view, open] of Object.entries(views)) {
          const isMobile = size === 'phone';
          const file = join(folder, `${view}-${size}-${colorScheme}-${language}.png`);
          await shoot(open, file, { viewport, locale, colorScheme, isMobile, hasTouch: isMobile });
        }
      }
    }
  }
  // The relay: its list, the form with a mistake, a system that fails, an attempt, a time to be sent again, what was put aside.
  const relay = async (size, language, locale, colorScheme) => {
    const isMobile = size === 'phone';
    const options = { storageState, viewport: SIZES[size], locale, colorScheme, isMobile, hasTouch: isMobile };
    const window_ = await openWindow(browser, trouble, options);
    const page = await window_.newPage();
    const picture = async (name) => {
      await settle(page);
      await page.evaluate(() => window.scrollTo(0, 0));
      await page.screenshot({ path: join(folder, `relay-${name}-${size}-${colorScheme}-${language}.png`), fullPage: true });
    };
    await page.goto(`${demo.hub}/settings/accounts`);
    const account = await page.locator('a.account-link').first().getAttribute('href');
    await page.goto(`${demo.hub}${account}/relay`);
    await picture('1-list');
    await page.goto(`${demo.hub}${account}/relay/new`);
    await page.locator('#f-name').fill('ERP');
    await page.locator('#f-url').fill('https://erp.example:25/line');
    for (const more of await page.locator('.relay-more > summary').all()) await more.click();
    await page.locator('.relay-form button[type=submit]').click();
    await page.locator('#f-url-error').waitFor();
    await picture('2-form-wrong');
    await page.goto(`${demo.hub}${account}/relay`);
    const failing = await page.locator('.relay-row-link').nth(1).getAttribute('href');
    await page.goto(`${demo.hub}${failing}`);
    await page.locator('.page-actions button.primary').click();
    await page.locator('.relay-tried').waitFor();
    await picture('3-show');
    await page.locator('.relay-attempt-link').first().click();
    await picture('4-attempt');
    await page.goto(`${demo.hub}${failing}/replay?since=2020-01-01T00:00&until=2099-01-01T00:00`);
    await picture('5-replay');
    await page.goto(`${demo.hub}${failing}/parked`);
    await picture('6-parked');
    await window_.close();
  };
  await relay('desktop', 'zh-Hant', 'zh-TW', 'light');
  await relay('desktop', 'ja', 'ja-JP', 'dark');
  await relay('phone', 'zh-Hant', 'zh-TW', 'dark');
  await relay('phone', 'ja', 'ja-JP', 'light');
  // The set-up, stage by stage; each window walks it with a channel of its own.
  const line = async (path, body, method = 'POST') => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${demo.sandbox}/sandbox/v1/${path}`, { method, headers, body: JSON.stringify(body) });
    return answer.json();
  };
  const { providerId } = await line('providers', { name: '山嵐' });
  /** The address of the settings of a channel's account. */
  const accountOf = async (page, channelId) => {
    await page.goto(`${demo.hub}/settings/accounts`);
    const all = await page.locator('a[href^="/settings/accounts/acc_"]').evaluateAll((links) => links.map((link) => new URL(link.href).pathname));
    for (const href of new Set(all.map((path) => path.split('/').slice(0, 4).join('/')))) {
      await page.goto(`${demo.hub}${href}`);
      if ((await page.content()).includes(channelId)) return href;
    }
    throw new Error(`no account of channel ${channelId}`);
  };
  const walk = async (size, language, locale, colorScheme) => {
    const isMobile = size === 'phone';
    const window_ = await openWindow(browser, trouble, {
      storageState, locale, colorScheme, viewport: SIZES[size], isMobile, hasTouch: isMobile, reducedMotion: 'reduce',
    });
    const page = await window_.newPage();
    const picture = async (name) => {
      await settle(page);
      await page.evaluate(() => window.scrollTo(0, 0));
      await page.screenshot({ path: join(folder, `setup-${name}-${size}-${colorScheme}-${language}.png`), fullPage: true });
    };
    const press = async (target, address) => {
      await page.locator(target).click();
      await page.waitForURL(address);
    };
    const { channelId, channelSecret } = await line('channels', { providerId, type: 'messaging', name: '山嵐二店' });
    const connect = async (secret) => {
      await page.locator('#f-channel_id').fill(channelId);
      await page.locator('#f-channel_secret').fill(secret);
      await page.locator('.guide-submit button').click();
    };
    await page.goto(`${demo.hub}/settings/accounts/new`);
    await picture('1-question');
    await press('button[value=nothing]', /create/);
    await picture('2-create');
    await press('.guide-foot button', /enable/);
    await picture('3-for-good');
    await press('.guide-agree button', /step-enable/);
    await picture('3-enable');
    await press('.guide-foot button', /connect/);
    await picture('4-connect');
    await connect('0'.repeat(32));
    await page.locator('#f-channel_secret-error').waitFor();
    await picture('4-wrong');
    await line(`channels/${channelId}`, { webhookEndpoint: 'https://crm.example/line/callback' }, 'PATCH');
    await connect(channelSecret);
    await page.locator('.guide-two').waitFor();
    await picture('4-elsewhere');
    await press('.guide-way.is-main button', /webhook/);
    await picture('5-webhook');
    await line(`channels/${channelId}`, { useWebhook: true }, 'PATCH');
    await page.locator('#check-webhook.is-done').waitFor({ timeout: 15_000 });
    await picture('6-send');
    const { user } = await line('users', { displayName: '陳小雨' });
    await line(`users/${user}/follow`, { channelId });
    await line(`users/${user}/messages`, { channelId, message: { type: 'text', text: '你好，今天有營業嗎？' } });
    await page.locator('#check-message.is-done').waitFor({ timeout: 15_000 });
    await picture('7-arrived');
    await press('#check-message a[href$="/done"]', /done/);
    await picture('8-done');
    await page.goto(`${demo.hub}/settings/accounts/new?has=api&path=key`);
    await picture('9-key');
    // The account's pages: its settings, copying them, the friends' code; the doctor before and after LINE's switch is turned off.
    const account = await accountOf(page, channelId);
    for (const [name, path] of Object.entries({ account: '', copy: '/copy', answers: '/answers', help: '/help', doctor: '/doctor' })) {
      await page.goto(`${demo.hub}${account}${path}`);
      await picture(`10-${name}`);
    }
    await line(`channels/${channelId}`, { useWebhook: false, webhookEndpoint: 'https://crm.example/line' }, 'PATCH');
    await page.waitForTimeout(5500);
    await page.goto(`${demo.hub}${account}/doctor`);
    await picture('11-doctor-trouble');
    await page.goto(`${demo.hub}/settings/accounts`);
    await picture('12-list');
    await window_.close();
  };
  for (const size of Object.keys(SIZES)) {
    await walk(size, 'zh-Hant', 'zh-TW', size === 'phone' ? 'dark' : 'light');
    await walk(size, 'ja', 'ja-JP', size === 'phone' ? 'light' : 'dark');
  }
} finally {
  await browser?.close();
  await demo?.stop();
}
for (const line of new Set(trouble)) console.error(line);
