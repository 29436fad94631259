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
} finally {
  await browser?.close();
  await demo?.stop();
}
for (const line of new Set(trouble)) console.error(line);
