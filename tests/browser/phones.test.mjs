// The sandbox's phones in the hands of people: buttons of every kind are tapped, and what the account hears of it is looked at.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { openWindow, startBrowser, startSandbox } from './demo.mjs';

/** How long a tap may take until the account's server has heard of it, in milliseconds. */
const HEARD_WITHIN = 5_000;

describe('the phones', () => {
  const trouble = [];
  const heard = [];
  let sandbox;
  let browser;
  let people;
  let server;
  let account;
  let user;
  let phone;

  const call = async (method, path, body, headers = { 'content-type': 'application/json' }) => {
    const data = body instanceof Uint8Array || body === undefined ? body : JSON.stringify(body);
    const answer = await fetch(sandbox.sandbox + path, { method, headers, body: data });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.json();
  };
  const control = (path, body, method = 'POST') => call(method, `/sandbox/v1${path}`, body);
  const line = (path, body, type = 'application/json') =>
    call('POST', path, body, { 'content-type': type, authorization: `Bearer ${account.token}` });
  const push = (...messages) => line('/v2/bot/message/push', { to: user.id, messages });

  /** Waits until the account's server has got an event that `fits`, later than `from`. */
  const hears = async (fits, from) => {
    const end = Date.now() + HEARD_WITHIN;
    for (;;) {
      const found = heard.slice(from).find(fits);
      if (found) return found;
      assert.ok(Date.now() < end, `not heard; since then came ${JSON.stringify(heard.slice(from))}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const says = (text, from) => hears((event) => event.message?.text === text, from);
  const posts = (data, from) => hears((event) => event.postback?.data === data, from);

  before(async () => {
    sandbox = await startSandbox();
    browser = await startBrowser();
    server = createServer(async (request, response) => {
      const parts = [];
      for await (const part of request) parts.push(part);
      heard.push(...JSON.parse(Buffer.concat(parts)).events);
      response.end();
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { providerId } = await control('/providers', { name: 'Tea' });
    const { channelId } = await control('/channels', { providerId, type: 'messaging', name: 'Tea House' });
    const webhookEndpoint = `http://127.0.0.1:${server.address().port}/`;
    await control(`/channels/${channelId}`, { useWebhook: true, groupChats: true, greeting: false, autoReply: false, webhookEndpoint }, 'PATCH');
    const { accessToken: token } = await control(`/channels/${channelId}/access-token`, {});
    account = { channelId, token };
    const made = await control('/users', { displayName: 'Lin' });
    user = { user: made.user, id: made.userId[providerId] };
    await control(`/users/${user.user}/follow`, { channelId });
    people = await openWindow(browser, trouble, { viewport: { width: 412, height: 860 } });
    await people.grantPermissions(['clipboard-read', 'clipboard-write']);
    phone = await people.newPage();
    await phone.goto(`${sandbox.sandbox}/phone/${user.user}/${channelId}`);
  });
  after(async () => {
    await browser?.close();
    server?.close();
    await sandbox?.stop();
  });
  // LINE's own pictures of stickers are the one thing that is asked for elsewhere.
  afterEach(() => {
    assert.deepEqual(trouble.splice(0).filter((one) => !one.includes('stickershop.line-scdn.net') && !one.includes('net::ERR_')), []);
  });

  it('answers by a quick reply, which is gone then', async () => {
    const items = [
      { type: 'action', action: { type: 'message', label: 'Oolong', text: 'Oolong, please' } },
      { type: 'action', action: { type: 'location', label: 'Where' } },
    ];
    await push({ type: 'text', text: 'Which tea?', quickReply: { items } });
    const from = heard.length;
    await phone.locator('.quick button', { hasText: 'Oolong' }).click();
    await says('Oolong, please', from);
    await phone.locator('.quick').waitFor({ state: 'detached' });
  });

  it('posts back, shows the words and fills the message field', async () => {
    const action = { type: 'postback', label: 'Order', data: 'order=1', displayText: 'I order', inputOption: 'openKeyboard', fillInText: 'Name: ' };
    await push({ type: 'template', altText: 'Order', template: { type: 'buttons', text: 'Order?', actions: [action] } });
    const from = heard.length;
    await phone.locator('.lv-card-action', { hasText: 'Order' }).click();
    await posts('order=1', from);
    await phone.locator('.line.mine', { hasText: 'I order' }).waitFor();
    assert.equal(await phone.locator('#text').inputValue(), 'Name: ');
    await phone.locator('#text').fill('');
  });

  it('picks a date within its bounds', async () => {
    const action = { type: 'datetimepicker', label: 'When', data: 'when', mode: 'date', initial: '2026-05-02', min: '2026-05-01', max: '2026-05-31' };
    await push({ type: 'template', altText: 'When', template: { type: 'confirm', text: 'When?', actions: [action, { type: 'message', label: 'Never', text: 'never' }] } });
    const from = heard.length;
    await phone.locator('.lv-card-action', { hasText: 'When' }).click();
    const date = phone.locator('#date');
    assert.deepEqual(await date.evaluate((input) => [input.type, input.value, input.min, input.max]), ['date', '2026-05-02', '2026-05-01', '2026-05-31']);
    await date.fill('2026-05-20');
    await phone.locator('#date-dialog button[value="done"]').click();
    assert.deepEqual((await posts('when', from)).postback.params, { date: '2026-05-20' });
  });

  it('walks through a carousel by keyboard', async () => {
    const columns = ['Green', 'Black', 'White'].map((text) => ({ text, actions: [{ type: 'message', label: `Take ${text}`, text: `I take ${text}` }] }));
    await push({ type: 'template', altText: 'Teas', template: { type: 'carousel', columns } });
    const last = phone.locator('.lv-card-action', { hasText: 'Take White' });
    await last.waitFor();
    // Where the phone draws the message once more, the focus is gone and is given again.
    await phone.waitForFunction(() => {
      [...document.querySelectorAll('.lv-card-action')].find((action) => action.textContent.includes('Take White'))?.focus();
      return document.querySelector('.lv-carousel').scrollLeft > 0;
    });
    const from = heard.length;
    await last.press('Enter');
    await says('I take White', from);
  });

  it('copies, and opens LINE\'s own addresses in the sandbox', async () => {
    const { basicId } = await call('GET', '/v2/bot/info', undefined, { authorization: `Bearer ${account.token}` });
    const actions = [
      { type: 'clipboard', label: 'Copy', clipboardText: 'TEA-77' },
      { type: 'uri', label: 'Us', uri: `https://line.me/R/ti/p/${basicId.replace('@', '%40')}` },
    ];
    await push({ type: 'template', altText: 'Two', template: { type: 'confirm', text: 'Two more', actions } });
    await phone.locator('.lv-card-action', { hasText: 'Copy' }).click();
    await phone.locator('#toast', { hasText: 'Copied' }).waitFor();
    assert.equal(await phone.evaluate(() => navigator.clipboard.readText()), 'TEA-77');
    await phone.locator('.lv-card-action', { hasText: 'Us' }).click();
    await phone.waitForURL('**/account/**');
    await phone.locator('svg.code').waitFor();
    await phone.locator('.profile-act', { hasText: 'Chat' }).click();
  });

  it('switches rich menus by their tabs', async () => {
    const picture = await people.newPage();
    await picture.setViewportSize({ width: 800, height: 400 });
    const image = await picture.screenshot();
    await picture.close();
    const menu = async (alias, other, action) => {
      const areas = [
        { bounds: { x: 0, y: 0, width: 800, height: 100 }, action: { type: 'richmenuswitch', label: `To ${other}`, richMenuAliasId: other, data: `to=${other}` } },
        { bounds: { x: 0, y: 100, width: 800, height: 300 }, action },
      ];
      const { richMenuId } = await line('/v2/bot/richmenu', { size: { width: 800, height: 400 }, selected: true, name: alias, chatBarText: `Menu ${alias}`, areas });
      await line(`/v2/bot/richmenu/${richMenuId}/content`, image, 'image/png');
      await line('/v2/bot/richmenu/alias', { richMenuAliasId: alias, richMenuId });
      return richMenuId;
    };
    const first = await menu('one', 'two', { type: 'message', label: 'Say', text: 'from one' });
    await menu('two', 'one', { type: 'postback', label: 'Post', data: 'from two', inputOption: 'closeRichMenu' });
    await line(`/v2/bot/user/${user.id}/richmenu/${first}`);
    await phone.locator('#menu-toggle', { hasText: 'Menu one' }).waitFor();
    let from = heard.length;
    await phone.locator('.rich-area[aria-label="Say"]').click();
    await says('from one', from);
    from = heard.length;
    await phone.locator('.rich-area[aria-label="To two"]').click();
    assert.deepEqual((await posts('to=two', from)).postback.params, { newRichMenuAliasId: 'two', status: 'SUCCESS' });
    await phone.locator('#menu-toggle', { hasText: 'Menu two' }).waitFor();
    await phone.locator('.rich-area[aria-label="Post"]').click();
    await posts('from two', from);
    await phone.locator('#menu-panel').waitFor({ state: 'hidden' });
    await phone.locator('#to-keyboard').click();
    await phone.locator('#text').waitFor();
  });

  it('sends several pictures as one set, a voice message and a place', async () => {
    let from = heard.length;
    await phone.locator('#roll').click();
    const choices = phone.locator('#picture-grid button');
    await choices.nth(1).click();
    await choices.nth(2).click();
    await phone.locator('#picture-dialog button[value="done"]').click();
    const image = (index) => hears((event) => event.message?.imageSet?.index === index, from);
    const [one, two, three] = [await image(1), await image(2), await image(3)].map((event) => event.message.imageSet);
    assert.ok(one.id === two.id && two.id === three.id && three.total === 3);
    await phone.locator('.line.mine .album img').nth(2).waitFor();
    from = heard.length;
    await phone.locator('#voice').click();
    await phone.locator('#record').click();
    await hears((event) => event.message?.type === 'audio' && event.message.duration === 2_000, from);
    await phone.locator('#attach').click();
    await phone.locator('#pick-place').click();
    await phone.locator('#place-dialog button[value="done"]').click();
    await hears((event) => event.message?.type === 'location', from);
  });

  it('mentions, replies, edits and takes back in a group', async () => {
    const aom = await control('/users', { displayName: 'Aom' });
    const { groupId: group } = await control('/groups', { name: 'Camp', channelId: account.channelId, members: [user.user, aom.user] });
    const { messageId } = await control(`/users/${aom.user}/messages`, { channelId: account.channelId, group, message: { type: 'text', text: 'Who comes?' } });
    await phone.goto(`${sandbox.sandbox}/phone/${user.user}/${group}`);
    const from = heard.length;
    const theirs = phone.locator('.line', { hasText: 'Who comes?' });
    await theirs.hover();
    await theirs.locator('summary').click();
    await theirs.locator('[data-reply]').click();
    await phone.locator('#text').press('@');
    await phone.locator('[data-mention]', { hasText: 'Tea House' }).click();
    await phone.locator('#text').pressSequentially('and me');
    await phone.locator('#text').press('Enter');
    const { message } = await says('@Tea House and me', from);
    assert.equal(message.quotedMessageId, messageId);
    assert.deepEqual(message.mention.mentionees.map(({ index, length, isSelf }) => [index, length, isSelf]), [[0, 10, true]]);
    const mine = phone.locator('.line.mine');
    await mine.hover();
    await mine.locator('summary').click();
    await mine.locator('[data-edit]').click();
    await phone.locator('#text').fill('only me');
    await phone.locator('#text').press('Enter');
    await hears((event) => event.type === 'messageEdited' && event.message.text === 'only me', from);
    await mine.hover();
    await mine.locator('summary').click();
    await mine.locator('[data-unsend]').click();
    await hears((event) => event.type === 'unsend', from);
    await phone.locator('.note').waitFor();
  });

  it('keeps several phones up to date beside each other', async () => {
    const page = await people.newPage();
    await page.setViewportSize({ width: 1300, height: 860 });
    await page.goto(`${sandbox.sandbox}/phones?users=${user.user}`);
    await page.locator('#add-phone input').fill('u2');
    await page.locator('#add-phone input').press('Enter');
    await page.locator('.one-phone').nth(1).waitFor();
    assert.ok(page.url().endsWith(`users=${user.user},u2`));
    const [lin, aom] = [page.frameLocator('iframe').nth(0), page.frameLocator('iframe').nth(1)];
    for (const one of [lin, aom]) await one.locator('.chat-row', { hasText: 'Camp' }).click();
    await aom.locator('#text').fill('Side by side');
    await aom.locator('#text').press('Enter');
    await lin.locator('.theirs', { hasText: 'Side by side' }).waitFor();
    await page.locator('[data-remove]').first().click();
    assert.equal(await page.locator('iframe').count(), 1);
    await page.close();
  });

  it('has nothing that axe calls serious', async () => {
    const axe = readFileSync(join(process.env.BROWSER_PACKAGES, 'node_modules/axe-core/axe.min.js'), 'utf8');
    for (const colorScheme of ['light', 'dark']) {
      await phone.emulateMedia({ colorScheme });
      for (const path of [`/phone/${user.user}`, `/phone/${user.user}/${account.channelId}`, `/phone/${user.user}/account/${account.channelId}`, '/phones']) {
        await phone.goto(sandbox.sandbox + path);
        await phone.evaluate(axe);
        const { violations } = await phone.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
        const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
        assert.deepEqual(serious.map(({ id, nodes }) => [path, colorScheme, id, nodes[0].html]), []);
      }
    }
  });
});
