// The way of a message, as people walk it: a friend writes on the phone, an agent answers in the inbox, the friend reads it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { openWindow, startBrowser, startDemo } from './demo.mjs';

/** What "at once" means: a message, a state or a count appears elsewhere within this time, in milliseconds. */
const AT_ONCE = 1_000;
/** A red square, 64 by 64. */
const PICTURE = {
  name: 'red.png',
  mimeType: 'image/png',
  buffer: Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAT0lEQVR42u3PQQkAAAgEsItz/VMYywi+hcEKLNO+FgEBAQEBAQEBAQEBAQEBAQEBAQEBAQ' +
      'EBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQGBywLvDoEAVSaz4wAAAABJRU5ErkJggg==',
    'base64',
  ),
};

describe('the spine', () => {
  const trouble = [];
  let demo;
  let browser;
  /** The agent's window and the friends' (their phones). */
  let agent;
  let friends;
  /** The agent's page, and the phone of the friend whose link the demo prints. */
  let inbox;
  let phone;

  const row = (page, name) => page.locator('.inbox-row', { has: page.locator('.inbox-row-name', { hasText: name }) });
  const said = (page, text) => page.locator('.inbox-turn', { hasText: text });
  const unread = async (page, name) => Number(await row(page, name).getAttribute('data-unread'));
  const soon = (locator, state = 'visible') => locator.waitFor({ state, timeout: AT_ONCE });
  /** Waits until `check` gives what is expected. */
  const becomes = async (check, expected, within = AT_ONCE) => {
    const end = Date.now() + within;
    let seen = await check();
    while (seen !== expected && Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      seen = await check();
    }
    assert.equal(seen, expected);
  };
  const write = async (page, text) => {
    await page.locator('#text').fill(text);
    await page.locator('#text').press('Enter');
  };
  const answer = async (page, text) => {
    await page.locator('#inbox-text').fill(text);
    await page.locator('#inbox-text').press('Enter');
  };
  /** Opens another friend's phone, in the chat with the shop. */
  const phoneOf = async (name) => {
    const page = await friends.newPage();
    await page.goto(demo.phone);
    const link = page.locator('.side-people a', { hasText: name });
    await page.goto(new URL(await link.getAttribute('href'), demo.sandbox).href);
    const chat = page.locator('.chat-row').first();
    if (await chat.isVisible()) await chat.click();
    await page.locator('#text').waitFor();
    return page;
  };
  /** A connection that a test breaks is a failed request, and nothing else is. */
  const onlyBroken = () => {
    const others = trouble.splice(0).filter((line) => !line.includes('ERR_CONNECTION_RESET'));
    assert.deepEqual(others, []);
  };
  const isShown = (image) => image.evaluate((image) => image.complete && image.naturalWidth > 0);

  before(async () => {
    [demo, browser] = await Promise.all([startDemo(), startBrowser()]);
    agent = await openWindow(browser, trouble);
    friends = await openWindow(browser, trouble);
    inbox = await agent.newPage();
    await inbox.goto(demo.inbox);
    phone = await friends.newPage();
    await phone.goto(demo.phone);
  });

  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  afterEach(() => {
    assert.deepEqual(trouble.splice(0), [], 'nothing breaks on the way');
  });

  it('shows five friends and a group, the newest on top', async () => {
    await inbox.goto(`${demo.hub}/inbox`);
    await row(inbox, '林小晴').waitFor();
    assert.equal(await inbox.locator('.inbox-row').count(), 6);
    assert.match(await inbox.locator('.inbox-row').first().innerText(), /林小晴/);
  });

  it('shows a message from the phone in the inbox at once, without a reload', async () => {
    await inbox.evaluate(() => { window.neverReloaded = true; });
    await row(inbox, '林小晴').locator('.inbox-row-link').click();
    await said(inbox, '大概六點過去拿').waitFor();
    await write(phone, '我到門口了 🙋');
    await soon(said(inbox, '我到門口了 🙋'));
    assert.match(await row(inbox, '林小晴').innerText(), /我到門口了 🙋/);
    assert.equal(await inbox.evaluate(() => window.neverReloaded), true);
  });

  it('shows the answer on the phone at once, and that it was free', async () => {
    await answer(inbox, '馬上出來！');
    await soon(phone.locator('.line.theirs', { hasText: '馬上出來！' }));
    const state = said(inbox, '馬上出來！').locator('.inbox-sending.is-sent');
    await soon(state);
    assert.match(await state.innerText(), /free/i);
    assert.doesNotMatch(await state.getAttribute('class'), /is-paid/);
  });

  it('counts what is unread, in every open browser', async () => {
    const other = await openWindow(browser, trouble, { storageState: await agent.storageState() });
    const page = await other.newPage();
    await page.goto(`${demo.hub}/inbox`);
    await row(page, '王思妤').waitFor();
    const before = await unread(page, '王思妤');
    const thePhone = await phoneOf('王思妤');
    await write(thePhone, '包裹寄出了嗎？');
    await Promise.all([
      becomes(() => unread(page, '王思妤'), before + 1),
      becomes(() => unread(inbox, '王思妤'), before + 1),
    ]);
    await row(inbox, '王思妤').locator('.inbox-row-link').click();
    await becomes(() => unread(page, '王思妤'), 0, 2 * AT_ONCE);
    await other.close();
    await thePhone.close();
  });

  it('shows pictures of both sides', async () => {
    await row(inbox, '林小晴').locator('.inbox-row-link').click();
    await said(inbox, '馬上出來！').waitFor();
    await phone.locator('#file').setInputFiles(PICTURE);
    const theirs = inbox.locator('.inbox-turn.is-in img:not(.inbox-face img)').last();
    await becomes(() => theirs.count().then((count) => count > 0 && isShown(theirs)), true, 5_000);

    await write(phone, '收到照片了嗎？');
    await soon(said(inbox, '收到照片了嗎？'));
    const before = await phone.locator('.line.theirs .line-body img').count();
    await inbox.locator('#inbox-file').setInputFiles(PICTURE);
    await inbox.locator('#inbox-chips li').waitFor();
    await inbox.locator('.inbox-send').click();
    const ours = phone.locator('.line.theirs .line-body img');
    await becomes(() => ours.count(), before + 1, 5_000);
    await becomes(() => isShown(ours.last()), true, 5_000);
  });

  it('leaves a mark where a message was unsent', async () => {
    await write(phone, '這句打錯了');
    await soon(said(inbox, '這句打錯了'));
    const marks = await inbox.locator('.inbox-unsent').count();
    const line = phone.locator('.line', { hasText: '這句打錯了' });
    await line.locator('.line-menu summary').click();
    await line.locator('[data-unsend]').click();
    await soon(said(inbox, '這句打錯了'), 'detached');
    assert.equal(await inbox.locator('.inbox-unsent').count(), marks + 1);
    assert.doesNotMatch(await row(inbox, '林小晴').innerText(), /這句打錯了/);
  });

  it('is worked by keyboard alone', async () => {
    await inbox.goto(`${demo.hub}/inbox`);
    await inbox.locator('.inbox-row').first().waitFor();
    const focus = () => inbox.evaluate(() => document.activeElement.id || document.activeElement.type);
    await inbox.keyboard.press('j');
    await inbox.keyboard.press('Enter');
    await becomes(focus, 'inbox-text', 2 * AT_ONCE);
    await inbox.keyboard.press('Escape');
    assert.notEqual(await focus(), 'inbox-text');
    await inbox.keyboard.press('r');
    await becomes(focus, 'inbox-text');
    await inbox.keyboard.type('第一行');
    await inbox.keyboard.press('Shift+Enter');
    await inbox.keyboard.type('第二行');
    assert.equal(await inbox.locator('#inbox-text').inputValue(), '第一行\n第二行');
    await inbox.keyboard.press('Enter');
    await soon(said(inbox, '第二行').locator('.inbox-sending.is-sent'));
    await inbox.keyboard.press('Escape');
    await inbox.keyboard.press('/');
    await becomes(focus, 'search');
    await inbox.keyboard.type('張家豪');
    await becomes(() => inbox.locator('.inbox-row:visible').count(), 1, 2 * AT_ONCE);
    await inbox.locator('input[type=search][name=q]').first().fill('');
    await becomes(() => inbox.locator('.inbox-row:visible').count(), 6, 2 * AT_ONCE);
  });

  it('sends an answer once, although the connection broke after the hub had taken it', async () => {
    await row(inbox, '林小晴').locator('.inbox-row-link').click();
    await said(inbox, '馬上出來！').waitFor();
    const cutAfterwards = async (route) => {
      await route.fetch();
      await route.abort('connectionreset');
    };
    await inbox.route('**/send', cutAfterwards, { times: 1 });
    await answer(inbox, '我們明天休息');
    const waiting = inbox.locator('.inbox-turn[data-pending]');
    await waiting.locator('.inbox-sending.is-failed').waitFor();
    const received = phone.locator('.line.theirs', { hasText: '我們明天休息' });
    await soon(received);
    // The bubble is still there after another conversation.
    await row(inbox, '張家豪').locator('.inbox-row-link').click();
    await waiting.waitFor({ state: 'detached' });
    await row(inbox, '林小晴').locator('.inbox-row-link').click();
    await waiting.getByRole('button', { name: 'Try again' }).click();
    await waiting.waitFor({ state: 'detached' });
    assert.equal(await said(inbox, '我們明天休息').count(), 1);
    await answer(inbox, '後天見');
    await soon(phone.locator('.line.theirs', { hasText: '後天見' }));
    assert.equal(await received.count(), 1);
    onlyBroken();
  });

  it('says in the bubble that a picture did not reach the hub, and tries again', async () => {
    const before = await phone.locator('.line.theirs .line-body img').count();
    let cut;
    const isSentOff = new Promise((resolve) => { cut = resolve; });
    const cutLater = async (route) => {
      await isSentOff;
      await route.abort('connectionreset');
    };
    await inbox.route('**/attachments', cutLater, { times: 1 });
    await inbox.locator('#inbox-file').setInputFiles(PICTURE);
    await answer(inbox, '這是新的菜單');
    const waiting = inbox.locator('.inbox-turn[data-pending]');
    await waiting.waitFor();
    cut();
    const told = waiting.locator('.inbox-sending.is-failed');
    await told.waitFor();
    assert.match(await told.innerText(), /picture did not reach/);
    assert.equal(await phone.locator('.line.theirs', { hasText: '這是新的菜單' }).count(), 0, 'not without its picture');
    await waiting.getByRole('button', { name: 'Try again' }).click();
    await soon(phone.locator('.line.theirs', { hasText: '這是新的菜單' }));
    await becomes(() => phone.locator('.line.theirs .line-body img').count(), before + 1, 5_000);
    await waiting.waitFor({ state: 'detached' });
    onlyBroken();
  });

  it('marks a conversation as unread in every browser, until it is opened again', async () => {
    const other = await openWindow(browser, trouble, { storageState: await agent.storageState() });
    const page = await other.newPage();
    await page.goto(`${demo.hub}/inbox`);
    const counts = (count) => Promise.all(
      [page, inbox].map((window_) => becomes(() => unread(window_, '林小晴'), count, 2 * AT_ONCE)),
    );
    await row(page, '林小晴').waitFor();
    await counts(0);
    await inbox.locator('#inbox-head form[action$="/unread"] button').click();
    await counts(1);
    // Who comes back to the window has not opened it again.
    await inbox.evaluate(() => window.dispatchEvent(new Event('focus')));
    await write(phone, '好的');
    await soon(said(inbox, '好的'));
    await counts(0);
    await inbox.locator('#inbox-text').focus();
    await inbox.keyboard.press('Escape');
    await inbox.keyboard.press('u');
    await counts(1);
    await inbox.evaluate(() => window.dispatchEvent(new Event('focus')));
    await row(page, '王思妤').locator('.inbox-row-link').click();
    await counts(1);
    await row(inbox, '林小晴').locator('.inbox-row-link').click();
    await counts(0);
    await other.close();
  });

  it('speaks four languages', async () => {
    const choose = async (tag) => {
      await inbox.locator('.user-menu summary').click();
      await inbox.locator(`form[action="/language"] button[value="${tag}"]`).click();
      await inbox.locator(`html[lang="${tag}"]`).waitFor();
      return inbox.title();
    };
    const titles = new Set();
    for (const tag of ['zh-Hant', 'ja', 'th', 'en']) titles.add(await choose(tag));
    assert.equal(titles.size, 4, [...titles].join(' | '));
  });

  it('connects an account with its ID and secret alone, and names the value that is wrong', async () => {
    const make = async (path, body) => {
      const answer = await fetch(`${demo.sandbox}/sandbox/v1/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return answer.json();
    };
    const { providerId } = await make('providers', { name: '山嵐' });
    const channel = await make('channels', { providerId, type: 'messaging', name: '山嵐二店' });
    const submit = async (secret) => {
      await inbox.goto(`${demo.hub}/settings/accounts/new?has=api`);
      await inbox.locator('#f-channel_id').fill(channel.channelId);
      await inbox.locator('#f-channel_secret').fill(secret);
      await inbox.locator('form.form button[type=submit]').click();
    };
    await submit('0'.repeat(32));
    await inbox.locator('#f-channel_secret-error').waitFor();
    // The refusal is a 422, which the browser reports as a failed request.
    const refusals = trouble.splice(0).filter((line) => !line.includes('422'));
    assert.deepEqual(refusals, []);
    await submit(channel.channelSecret);
    await inbox.locator('main').getByText('山嵐二店').first().waitFor();
    await inbox.getByText('Use webhook').first().waitFor();
  });

  it('shows one pane at a time on a phone', async () => {
    const small = await openWindow(browser, trouble, {
      storageState: await agent.storageState(),
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
    });
    const page = await small.newPage();
    await page.goto(`${demo.hub}/inbox`);
    const list = page.locator('#inbox-list');
    const talk = page.locator('#inbox-talk');
    await row(page, '張家豪').waitFor();
    assert.equal(await talk.isVisible(), false);
    await row(page, '張家豪').locator('.inbox-row-link').click();
    await talk.waitFor();
    await list.waitFor({ state: 'hidden' });
    await page.locator('#inbox-head .inbox-who').click();
    await page.locator('#inbox-person').waitFor();
    await talk.waitFor({ state: 'hidden' });
    await page.locator('#inbox-person .inbox-back').click();
    await talk.waitFor();
    await page.locator('#inbox-head .inbox-back').click();
    await list.waitFor();
    await talk.waitFor({ state: 'hidden' });
    // The browser's own button takes the same way.
    await row(page, '張家豪').locator('.inbox-row-link').click();
    await page.locator('#inbox-head .inbox-who').click();
    await page.locator('#inbox-person').waitFor();
    await page.goBack();
    await talk.waitFor();
    await list.waitFor({ state: 'hidden' });
    await page.goBack();
    await list.waitFor();
    await talk.waitFor({ state: 'hidden' });
    assert.equal(new URL(page.url()).pathname, '/inbox');
    const isTooWide = () => document.documentElement.scrollWidth > document.documentElement.clientWidth;
    assert.equal(await page.evaluate(isTooWide), false);
    // The strip of the settings stands where the reader is.
    await page.goto(`${demo.hub}/settings/jobs`);
    const here = await page.locator('.settings-nav [aria-current]').boundingBox();
    assert.ok(here.x >= 0 && here.x + here.width <= 390, JSON.stringify(here));
    await small.close();
  });

  it('tells a colleague who is writing, until the answer is there', async () => {
    await inbox.goto(`${demo.hub}/settings/people`);
    const email = 'ling@demo.example';
    await inbox.locator('[data-opens=invite]').first().click();
    await inbox.locator('#f-email').fill(email);
    await inbox.locator('#f-role').selectOption('owner');
    await inbox.locator('#invite [type=submit]').click();
    const link = await inbox.locator('.code code').first().innerText();
    const colleague = await openWindow(browser, trouble);
    const page = await colleague.newPage();
    await page.goto(link);
    await page.locator('#f-name').fill('小玲');
    await page.locator('#f-password').fill('correct horse battery');
    await page.locator('.bare-card [type=submit]').click();
    await page.goto(`${demo.hub}/inbox`);
    for (const one of [page, inbox]) {
      if (one === inbox) await inbox.goto(`${demo.hub}/inbox`);
      await row(one, '吳雅婷').locator('.inbox-row-link').click();
      await said(one, '太好了，謝謝！').waitFor();
    }
    await page.locator('#inbox-text').pressSequentially('不客氣');
    await soon(inbox.locator('#inbox-writing', { hasText: '小玲' }));
    assert.equal(await page.locator('#inbox-writing').innerText(), '', 'nobody is told of themselves');
    await page.locator('#inbox-text').press('Enter');
    await soon(said(inbox, '不客氣'));
    await becomes(() => inbox.locator('#inbox-writing').innerText(), '');
    await colleague.close();
  });

  it('has nothing on its main pages that axe calls serious', async () => {
    const axe = readFileSync(join(process.env.BROWSER_PACKAGES, 'node_modules/axe-core/axe.min.js'), 'utf8');
    const found = [];
    const check = async (page, name) => {
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
      for (const { id, impact, nodes } of violations) {
        if (!['serious', 'critical'].includes(impact)) continue;
        found.push(`${name}: ${id}: ${nodes.map((node) => node.target.join(' ')).slice(0, 3).join(', ')}`);
      }
    };
    const look = { reducedMotion: 'reduce', storageState: await agent.storageState() };
    for (const colorScheme of ['light', 'dark']) {
      const window_ = await openWindow(browser, trouble, { ...look, colorScheme });
      const page = await window_.newPage();
      for (const path of ['inbox', 'contacts', 'settings/accounts', 'settings/accounts/new', 'settings/accounts/new?has=api',
        'settings/help', 'settings/profile',
        'settings/people', 'settings/api-keys', 'settings/audit-log', 'settings/events', 'settings/jobs']) {
        await page.goto(`${demo.hub}/${path}`);
        await check(page, `${colorScheme} ${path}`);
      }
      await page.goto(`${demo.hub}/settings/accounts`);
      await page.locator('.account-link').first().click();
      await check(page, `${colorScheme} account`);
      for (const name of ['林小晴', '王思妤', '張家豪', '吳雅婷', '公司下午茶團']) {
        await page.goto(`${demo.hub}/inbox`);
        await row(page, name).locator('.inbox-row-link').click();
        await page.locator('.inbox-price-now').waitFor();
        await check(page, `${colorScheme} ${name}`);
      }
      for (const address of [demo.sandbox, demo.phone]) {
        await page.goto(address);
        await check(page, `${colorScheme} ${new URL(address).pathname}`);
      }
      await window_.close();
    }
    assert.deepEqual(found, []);
  });
});
