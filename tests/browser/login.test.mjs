// LINE Login and LIFF, as people meet them: a shop's page sends a visitor to log in, she consents and adds the account, and comes back
// with an id token that holds; then she opens the shop's LIFF app and shares a card, which a friend sees on another phone.
//
// With SANDBOX (an origin) it runs against a sandbox that is there already, in place of the demo's.

import assert from 'node:assert/strict';
import { createHash, createHmac, createPublicKey, randomBytes, verify as verifySignature } from 'node:crypto';
import { createServer } from 'node:http';
import { after, afterEach, before, describe, it } from 'node:test';
import { openWindow, startBrowser, startDemo } from './demo.mjs';

const CARD = {
  type: 'flex',
  altText: 'A voucher for tea',
  contents: {
    type: 'bubble',
    body: { type: 'box', layout: 'vertical', contents: [{ type: 'text', text: 'One cup on the house' }] },
    footer: {
      type: 'box',
      layout: 'vertical',
      contents: [{ type: 'button', action: { type: 'uri', label: 'Open', uri: 'https://shop.example/voucher' } }],
    },
  },
};

/** The parts of a JWT. */
const read = (jwt) => jwt.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));

/** The shop: a page that logs in by LINE, and a LIFF app below /liff. What `shop.facts` holds is filled in once the channels exist. */
async function startShop(facts) {
  const logins = new Map();
  const page = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><link rel="icon" href="data:,"><body>${body}`;
  const app = `
    <h1 id="who"></h1><p id="context"></p><p id="shared"></p>
    <button id="share">Share a card</button> <button id="say">Say hello</button> <button id="add">Add the shop</button> <button id="close">Close</button>
    <script src="${facts.sandbox}/liff/sdk.js"></script>
    <script>
      const show = (id, text) => { document.getElementById(id).textContent = text; };
      const on = (id, act) => document.getElementById(id).addEventListener('click', () => act().catch((error) => show('shared', error.code + ' ' + error.message)));
      window.opened = liff.init({ liffId: '${'${liffId}'}' }).then(async () => {
        if (!liff.isLoggedIn()) return liff.login();
        const profile = await liff.getProfile();
        show('who', 'Hello ' + profile.displayName);
        show('context', liff.getContext().type + ' ' + location.pathname + location.search + ' ' + liff.isInClient());
        on('share', async () => {
          const done = await liff.shareTargetPicker([${JSON.stringify(CARD)}]);
          show('shared', done ? done.status : 'cancelled');
        });
        on('say', async () => { await liff.sendMessages([{ type: 'text', text: 'Hello from the app' }]); show('shared', 'said'); });
        on('add', async () => { await liff.requestFriendship(); show('shared', String((await liff.getFriendship()).friendFlag)); });
        on('close', async () => liff.closeWindow());
      });
    </script>`;
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, facts.shop);
    const answer = (status, headers, body = '') => response.writeHead(status, headers).end(body);
    if (url.pathname === '/') {
      return answer(200, { 'content-type': 'text/html' }, page('Shop', '<a id="login" href="/login">Log in with LINE</a>'));
    }
    if (url.pathname === '/login') {
      const login = { nonce: randomBytes(16).toString('hex'), verifier: randomBytes(32).toString('base64url') };
      const state = randomBytes(16).toString('hex');
      logins.set(state, login);
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: facts.login.channelId,
        redirect_uri: `${facts.shop}/callback`,
        state,
        scope: 'profile openid',
        nonce: login.nonce,
        bot_prompt: 'aggressive',
        code_challenge: createHash('sha256').update(login.verifier).digest('base64url'),
        code_challenge_method: 'S256',
      });
      return answer(302, { location: `${facts.sandbox}/oauth2/v2.1/authorize?${query}` });
    }
    if (url.pathname === '/callback') {
      const login = logins.get(url.searchParams.get('state'));
      const tokens = await fetch(`${facts.sandbox}/oauth2/v2.1/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code: url.searchParams.get('code') ?? '',
          redirect_uri: `${facts.shop}/callback`,
          client_id: facts.login.channelId,
          client_secret: facts.login.channelSecret,
          code_verifier: login?.verifier ?? '',
        }),
      }).then((answer) => answer.json());
      facts.seen = { tokens, nonce: login?.nonce, changed: url.searchParams.get('friendship_status_changed') };
      return answer(200, { 'content-type': 'text/html' }, page('Shop', '<h1>Welcome</h1>'));
    }
    if (url.pathname.startsWith('/liff')) {
      return answer(200, { 'content-type': 'text/html' }, page('App', app.replaceAll('${liffId}', facts.liffId)));
    }
    return answer(404, {});
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  facts.shop = `http://127.0.0.1:${server.address().port}`;
  return server;
}

describe('LINE Login and LIFF', () => {
  const trouble = [];
  const facts = {};
  let demo;
  let browser;
  let shop;
  let mina;
  let nok;

  const control = async (path, body, method = 'POST') => {
    const answer = await fetch(`${facts.sandbox}/sandbox/v1${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: method === 'GET' ? undefined : JSON.stringify(body),
    });
    assert.equal(answer.status, 200, `${method} ${path}: ${answer.statusText}`);
    return answer.json();
  };
  const line = async (path, body, token) => {
    const answer = await fetch(facts.sandbox + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 200, `${path}: ${await answer.clone().text()}`);
    return answer.json();
  };
  const isFriend = async () => {
    const answer = await fetch(`${facts.sandbox}/friendship/v1/status`, {
      headers: { authorization: `Bearer ${facts.seen.tokens.access_token}` },
    });
    return (await answer.json()).friendFlag;
  };

  before(async () => {
    [demo, browser] = await Promise.all([process.env.SANDBOX ? undefined : startDemo(), startBrowser()]);
    facts.sandbox = demo?.sandbox ?? new URL(process.env.SANDBOX).origin;
    shop = await startShop(facts);
    const { providerId } = await control('/providers', { name: 'Tea' });
    facts.account = await control('/channels', { providerId, type: 'messaging', name: 'Tea house' });
    facts.login = await control('/channels', { providerId, type: 'login', name: 'Tea members' });
    await control(`/channels/${facts.login.channelId}`, {
      published: true,
      callbackUrls: [`${facts.shop}/callback`],
      linkedBotChannelId: facts.account.channelId,
    }, 'PATCH');
    mina = await control('/users', { displayName: 'Mina', language: 'en' });
    nok = await control('/users', { displayName: 'Nok', language: 'th' });
    mina.id = mina.userId[providerId];
    const token = await fetch(`${facts.sandbox}/oauth2/v3/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: facts.login.channelId,
        client_secret: facts.login.channelSecret,
      }),
    }).then((answer) => answer.json());
    const view = { type: 'full', url: `${facts.shop}/liff` };
    const scope = ['openid', 'profile', 'chat_message.write'];
    facts.liffId = (await line('/liff/v1/apps', { view, scope, description: 'Vouchers' }, token.access_token)).liffId;
    await control(`/channels/${facts.login.channelId}/liff-apps/${facts.liffId}`, { shareTargetPicker: true }, 'PATCH');
  });

  after(async () => {
    await browser?.close();
    shop?.closeAllConnections();
    shop?.close();
    await demo?.stop();
  });

  afterEach(() => {
    assert.deepEqual(trouble.splice(0), [], 'nothing breaks on the way');
  });

  it('logs in on a page, asks for consent, adds the account and comes back with an id token that holds', async () => {
    const page = await (await openWindow(browser, trouble)).newPage();
    await page.goto(facts.shop);
    await page.locator('#login').click();
    await page.locator(`button[name=user][value=${mina.user}]`).click();
    await page.locator('.login-scopes li').first().waitFor();
    assert.equal(await page.locator('.login-scopes li').count(), 2);
    await page.locator('button[value=allow]').click();
    await page.locator('button[value=add]').click();
    await page.locator('h1', { hasText: 'Welcome' }).waitFor();
    assert.equal(new URL(page.url()).origin, facts.shop);

    const { tokens, nonce, changed } = facts.seen;
    assert.equal(changed, 'true');
    assert.equal(await isFriend(), true);
    const [signed, signature] = [tokens.id_token.replace(/\.[^.]*$/, ''), tokens.id_token.split('.')[2]];
    assert.equal(createHmac('sha256', facts.login.channelSecret).update(signed).digest('base64url'), signature);
    const [header, claims] = read(tokens.id_token);
    assert.equal(header.alg, 'HS256');
    assert.deepEqual([claims.iss, claims.aud, claims.sub, claims.nonce], ['https://access.line.me', facts.login.channelId, mina.id, nonce]);
  });

  it('opens a LIFF app in a frame and shares a card, which a friend sees on another phone', async () => {
    const window_ = await openWindow(browser, trouble);
    const phone = await (await openWindow(browser, trouble)).newPage();
    await phone.goto(`${facts.sandbox}/phone/${nok.user}`);
    const page = await window_.newPage();
    await page.goto(`${facts.sandbox}/liff/${facts.liffId}/vouchers?kind=tea&sandbox_user=${mina.user}&chat=${facts.account.channelId}`);
    // Profile and user ID were allowed when logging in; sending in her name was not.
    await page.locator('.login-scopes li', { hasText: 'Sending messages' }).waitFor();
    await page.locator('button[value=allow]').click();
    const app = page.frameLocator('.liff-sheet iframe');
    await app.locator('#who', { hasText: 'Hello Mina' }).waitFor();
    assert.equal(await app.locator('#context').innerText(), 'utou /liff/vouchers?kind=tea true');

    const token = await app.locator('body').evaluate(() => liff.getIDToken());
    const [{ kid }, claims] = read(token);
    const { keys } = await fetch(`${facts.sandbox}/oauth2/v2.1/certs`).then((answer) => answer.json());
    const key = createPublicKey({ key: keys.find((key) => key.kid === kid), format: 'jwk' });
    const [signed, signature] = [token.replace(/\.[^.]*$/, ''), Buffer.from(token.split('.')[2], 'base64url')];
    assert.ok(verifySignature('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }, signature));
    assert.equal(claims.sub, mina.id);

    await app.locator('#say').click();
    await app.locator('#shared', { hasText: 'said' }).waitFor();
    await app.locator('#share').click();
    const picker = app.frameLocator('iframe');
    await picker.locator(`input[name=target][value=${nok.user}]`).check();
    await picker.locator('.dialog-foot button').click();
    await app.locator('#shared', { hasText: 'success' }).waitFor();
    await phone.locator('.chat-row', { hasText: 'Mina' }).click();
    await phone.getByText('One cup on the house').waitFor();

    await app.locator('#close').click();
    await page.waitForURL(`**/phone/${mina.user}/${facts.account.channelId}`);
    await page.getByText('Hello from the app').waitFor();
  });

  it('logs a LIFF app in outside LINE', async () => {
    const page = await (await openWindow(browser, trouble, { viewport: { width: 390, height: 844 } })).newPage();
    await page.goto(`${facts.shop}/liff/vouchers?kind=tea`);
    await page.locator(`button[name=user][value=${nok.user}]`).click();
    await page.locator('button[value=allow]').click();
    await page.locator('#who', { hasText: 'Hello Nok' }).waitFor();
    assert.equal(await page.locator('#context').innerText(), 'external /liff/vouchers?kind=tea false');
    await page.locator('#add').click();
    await page.frameLocator('iframe').locator('.dialog-foot button').click();
    await page.locator('#shared', { hasText: 'true' }).waitFor();
  });
});
