// From an empty hub (`trunkline serve` with a fresh data folder, its owner made by `trunkline user add`) to "your first message arrived", as an owner walks it, on each of the three paths. The sandbox's controls play
// LINE's consoles and a friend's phone; the values to type and the clicks in the hub are counted.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { OWNER, openWindow, startBrowser, startHub, startSandbox } from './demo.mjs';

/** The page asks every three seconds; a busy machine gets some more. */
const BY_ITSELF = { timeout: 15_000 };

describe('connecting an account', () => {
  const trouble = [];
  let sandbox;
  let hub;
  let browser;
  let storageState;
  let providerId;

  /** LINE's consoles and phones. */
  const line = async (path, body, method = 'POST') => {
    const answer = await fetch(`${sandbox.sandbox}/sandbox/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
  };
  const channel = (name) => line('channels', { providerId, type: 'messaging', name });
  /** A person who counts what they do in the hub. */
  const person = async (options = {}) => {
    const window_ = await openWindow(browser, trouble, { storageState, reducedMotion: 'reduce', ...options });
    const page = await window_.newPage();
    const done = { clicks: 0, typed: 0 };
    const click = async (target) => {
      done.clicks += 1;
      await (typeof target === 'string' ? page.locator(target) : target).click();
    };
    const type = async (target, text) => {
      done.typed += 1;
      await page.locator(target).fill(text);
    };
    return { page, click, type, done, close: () => window_.close() };
  };
  /** From where an owner lands after signing in to the form with the values. */
  const begin = async (page, click) => {
    await page.goto(`${hub.hub}/`);
    await click('#main a[href="/settings/accounts/new"]');
    await click('a[href="/settings/accounts/new?has=api"]');
  };
  /** A person in front of the page that waits for LINE's switch. */
  const connected = async (name) => {
    const shop = await channel(name);
    const someone = await person();
    const { page, click, type } = someone;
    await begin(page, click);
    await type('#f-channel_id', shop.channelId);
    await type('#f-channel_secret', shop.channelSecret);
    await click('.guide-submit button');
    await page.waitForURL(/\/webhook$/);
    return someone;
  };
  /** Turns the switch on at LINE and writes as a friend; the page turns green by itself. */
  const finish = async (page, channelId, name, text) => {
    await page.evaluate(() => { window.neverReloaded = true; });
    await page.locator('#check-webhook.is-waiting').waitFor();
    await page.locator('#check-message.is-locked').waitFor();
    await line(`channels/${channelId}`, { useWebhook: true }, 'PATCH');
    await page.locator('#check-webhook.is-done').waitFor(BY_ITSELF);
    await page.locator('#check-message .guide-qr svg').waitFor();
    const { user } = await line('users', { displayName: name });
    await line(`users/${user}/follow`, { channelId });
    await line(`users/${user}/messages`, { channelId, message: { type: 'text', text } });
    await page.locator('#check-message.is-done').waitFor(BY_ITSELF);
    assert.match(await page.locator('#check-message').innerText(), new RegExp(text));
    assert.equal(await page.evaluate(() => window.neverReloaded), true);
  };
  /** What axe calls serious, and a page that is wider than its window. */
  const inspect = async (page, name) => {
    await page.evaluate(readFileSync(join(process.env.BROWSER_PACKAGES, 'node_modules/axe-core/axe.min.js'), 'utf8'));
    const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
    const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    assert.deepEqual(serious.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].target.join(' ')}`), []);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${name} is ${over} px too wide`);
  };

  before(async () => {
    [sandbox, browser] = await Promise.all([startSandbox(), startBrowser()]);
    ({ providerId } = await line('providers', { name: '山嵐茶行股份有限公司' }));
  });

  // Every walk begins at a hub of its own that knows its owner and nothing else.
  beforeEach(async () => {
    hub = await startHub(sandbox.sandbox);
    const first = await openWindow(browser, trouble);
    const page = await first.newPage();
    await page.goto(`${hub.hub}/sign-in`);
    await page.locator('input[name=email]').fill(OWNER.email);
    await page.locator('input[name=password]').fill(OWNER.password);
    await page.locator('form[action="/sign-in"] button[type=submit]').click();
    await page.waitForURL((url) => url.pathname !== '/sign-in');
    await page.goto(`${hub.hub}/settings/accounts`);
    assert.equal(await page.locator('a[href^="/settings/accounts/acc_"]').count(), 0, 'the hub is empty');
    storageState = await first.storageState();
    await first.close();
  });

  after(async () => {
    await browser?.close();
    await sandbox?.stop();
  });

  afterEach(async () => {
    await hub?.stop();
    assert.deepEqual(trouble.splice(0), [], 'nothing breaks on the way');
  });

  it('takes two values and at most six clicks with ID and secret', async () => {
    const shop = await channel('山嵐二店');
    const { page, click, type, done, close } = await person({ locale: 'zh-TW' });
    await begin(page, click);
    await type('#f-channel_id', shop.channelId);
    await type('#f-channel_secret', shop.channelSecret);
    await click('.guide-submit button');
    await page.waitForURL(/\/webhook$/);
    await finish(page, shop.channelId, '陳小雨', '今天有營業嗎');
    assert.match(await page.locator('#check-message h2').innerText(), /第一則訊息已送達/);
    assert.ok(done.typed <= 2 && done.clicks <= 6, JSON.stringify(done));
    console.log(`ID and secret: ${done.typed} values, ${done.clicks} clicks`);
    // The conversation is one click away.
    await click('#check-message a.primary');
    await page.locator('.inbox-turn', { hasText: '今天有營業嗎' }).waitFor();
    await close();
  });

  it('connects with a key pair whose public half is registered at LINE', async () => {
    const shop = await channel('山嵐三店');
    const { page, click, type, done, close } = await person({ locale: 'ja-JP' });
    await begin(page, click);
    await click('.guide-others a[href$="path=key"]');
    await type('#f-channel_id', shop.channelId);
    await click('.guide-submit button');
    const jwk = JSON.parse(await page.locator('#public-jwk').innerText());
    assert.equal(jwk.kty, 'RSA');
    const { kid } = await line(`channels/${shop.channelId}/public-keys`, { jwk });
    await type('#f-kid', kid);
    await type('#f-channel_secret', shop.channelSecret);
    await click('.guide-submit button');
    await page.waitForURL(/\/webhook$/);
    await finish(page, shop.channelId, '佐藤 葵', 'こんにちは');
    assert.match(await page.locator('#check-message h2').innerText(), /最初のメッセージが届きました/);
    assert.ok(done.typed <= 3 && done.clicks <= 7, JSON.stringify(done));
    console.log(`key pair: ${done.typed} values, ${done.clicks} clicks`);
    await close();
  });

  it('connects with a token that was issued in the console', async () => {
    const shop = await channel('山嵐四店');
    const { accessToken } = await line(`channels/${shop.channelId}/access-token`, {});
    const { page, click, type, done, close } = await person();
    await begin(page, click);
    await click('.guide-others a[href$="path=token"]');
    await type('#f-channel_id', shop.channelId);
    await type('#f-channel_secret', shop.channelSecret);
    await type('#f-access_token', accessToken);
    await click('.guide-submit button');
    await page.waitForURL(/\/webhook$/);
    await finish(page, shop.channelId, 'Ana', 'Hello there');
    assert.ok(done.typed <= 3 && done.clicks <= 6, JSON.stringify(done));
    console.log(`pasted token: ${done.typed} values, ${done.clicks} clicks`);
    await close();
  });

  it('goes on where it was left, in another browser, with every stage drawn, on a phone', async () => {
    const shop = await channel('山嵐五店');
    const first = await person({ locale: 'zh-TW' });
    await first.page.goto(`${hub.hub}/settings/accounts/new`);
    await inspect(first.page, 'the question');
    await first.click('button[value=nothing]');
    await first.page.waitForURL(/\/create$/);
    assert.equal(await first.page.locator('.guide-step figure svg[role=img]').count(), 3);
    await inspect(first.page, 'create');
    await first.click('#step-sign-in .guide-tick-button');
    await first.page.locator('#step-sign-in.is-done').waitFor();
    await first.close();

    const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, locale: 'ja-JP', colorScheme: 'dark' };
    const { page, click, type, close } = await person(phone);
    await page.goto(`${hub.hub}/settings/accounts`);
    await inspect(page, 'the list');
    await click('.guide-open a.primary');
    await page.locator('#step-sign-in.is-done').waitFor();
    await click('.guide-foot button');
    await page.waitForURL(/\/enable$/);
    assert.equal(await page.locator('a[href="https://manager.line.biz/"]').count(), 0, 'the link comes after the confirmation');
    await inspect(page, 'before the click for good');
    // Nobody has given the company a name yet, so none is proposed for what stays for good.
    assert.equal(await page.locator('#f-provider').inputValue(), '');
    await type('#f-provider', '山嵐商事');
    await click('.guide-agree button');
    await page.locator('#step-enable').waitFor();
    await inspect(page, 'enable');
    await click('.guide-foot button');
    await page.waitForURL(/\/connect$/);
    await inspect(page, 'connect');
    // Another system is called today: both ways are shown, and it is kept.
    await line(`channels/${shop.channelId}`, { webhookEndpoint: 'https://crm.example/line', useWebhook: false }, 'PATCH');
    await type('#f-channel_id', shop.channelId);
    await type('#f-channel_secret', shop.channelSecret);
    await click('.guide-submit button');
    await page.locator('.guide-system', { hasText: 'crm.example' }).waitFor();
    // The question is a 409, which the browser reports as a failed request.
    assert.deepEqual(trouble.splice(0).filter((line) => !line.includes('409')), []);
    await inspect(page, 'another system');
    await click('.guide-way.is-main button');
    await page.waitForURL(/\/webhook$/);
    await page.locator('.guide-replaced', { hasText: 'crm.example' }).waitFor();
    await inspect(page, 'webhook');
    await finish(page, shop.channelId, '高橋', 'よろしく');
    await inspect(page, 'arrived');
    await click('#check-message a[href$="/done"]');
    await page.waitForURL(/\/done$/);
    await inspect(page, 'done');
    await page.goto(`${hub.hub}/settings/accounts`);
    const links = await page.locator('a.account-link').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
    assert.equal(links.length, 1, 'the one account of this hub');
    assert.match(links[0], /^\/settings\/accounts\/acc_[^/]+$/);
    await page.goto(`${hub.hub}${links[0]}/doctor?now=1`);
    await inspect(page, 'the doctor');
    await page.setViewportSize({ width: 320, height: 700 });
    await page.goto(`${hub.hub}/settings/help`);
    await inspect(page, 'help');
    await close();
  });

  it('fits a phone in Japanese and Thai: no page of an account scrolls sideways', async () => {
    const { page, close } = await connected('山嵐本店');
    await page.goto(`${hub.hub}/settings/accounts`);
    const account = await page.locator('a.account-link').getAttribute('href');
    await close();
    const own = ['', '/copy', '/answers', '/doctor?now=1', '/login-test', '/help', '/credentials', '/disconnect'].map((path) => account + path);
    const paths = ['/settings/accounts', '/settings/accounts/new', '/settings/accounts/new?has=api', '/settings/help', '/inbox', ...own];
    const wide = [];
    for (const locale of ['ja-JP', 'th-TH']) {
      const phone = await person({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, locale });
      for (const path of paths) {
        await phone.page.goto(`${hub.hub}${path}`);
        const over = await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (over > 0) wide.push(`${path} in ${locale}: ${over} px too wide`);
      }
      await phone.close();
    }
    assert.deepEqual(wide, []);
  });

  it('asks for nothing while nobody looks', async () => {
    const { page, close } = await connected('山嵐六店');
    let asked = 0;
    page.on('request', (request) => { asked += Number(request.url().includes('/live?')); });
    await page.waitForRequest(/\/live\?/, BY_ITSELF);
    await page.evaluate(() => { Object.defineProperty(document, 'hidden', { get: () => true, configurable: true }); });
    asked = 0;
    // Two looks would have come.
    await page.waitForTimeout(7000);
    assert.equal(asked, 0);
    await page.evaluate(() => { delete document.hidden; });
    await page.waitForRequest(/\/live\?/, BY_ITSELF);
    await close();
  });
});
