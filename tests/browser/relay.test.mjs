// The relay as an owner uses it: another system is added, tested, fails, is mended, paused, and sent things again. The demo's own
// two systems stand for others; they are told how to answer.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openWindow, startBrowser, startDemo } from './demo.mjs';

/** What the page fetches by itself comes within this time, in milliseconds. */
const BY_ITSELF = { timeout: 15_000 };

describe('the relay', () => {
  const trouble = [];
  let demo;
  let browser;
  let page;
  /** The page of the destination that is added here. */
  let added;

  const answers = async (how) => {
    const answer = await fetch(`${demo.systems}/crm/${how}`, { method: 'POST', redirect: 'manual' });
    assert.equal(answer.status, 303);
  };
  const says = async (text) => {
    const [, , friend, channel] = new URL(demo.phone).pathname.split('/');
    const answer = await fetch(`${demo.sandbox}/sandbox/v1/users/${friend}/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ channelId: channel, message: { type: 'text', text } }),
    });
    assert.ok(answer.ok, `${answer.status}`);
  };
  /** What axe calls serious, and a page that is wider than its window, at this width and a phone's. */
  const inspect = async (name) => {
    await page.evaluate(readFileSync(join(process.env.BROWSER_PACKAGES, 'node_modules/axe-core/axe.min.js'), 'utf8'));
    const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
    const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    assert.deepEqual(serious.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].target.join(' ')}`), []);
    for (const width of [390, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(over <= 0, `${name} is ${over} px too wide at ${width}`);
    }
  };
  const act = async (name) => {
    await page.locator('.page-actions details.menu > summary').click();
    await page.locator('.page-actions .menu-items').getByText(name, { exact: true }).click();
  };

  before(async () => {
    [demo, browser] = await Promise.all([startDemo(), startBrowser()]);
    const window_ = await openWindow(browser, trouble, { reducedMotion: 'reduce' });
    page = await window_.newPage();
    await page.goto(demo.inbox);
  });

  after(async () => {
    await browser?.close();
    await demo?.stop();
    assert.deepEqual(trouble, [], 'nothing breaks on the way');
  });

  it('lists the demo\'s systems, and adds one', async () => {
    await page.goto(`${demo.hub}/settings/accounts`);
    await page.locator('a.account-link').click();
    await page.locator('.tabs a', { hasText: 'Relay' }).click();
    assert.equal(await page.locator('.relay-row').count(), 3);
    await inspect('list');
    await page.getByRole('link', { name: 'Add relay system' }).click();
    await page.locator('#f-name').fill('Test system');
    await page.locator('#f-url').fill(`${demo.systems}/crm`);
    await page.locator('.relay-more > summary').first().click();
    await inspect('form');
    // The warning is about LINE's signature.
    assert.equal(await page.locator('.relay-warning').isVisible(), false);
    await page.locator('input[name=signing][value=line]').check();
    assert.equal(await page.locator('.relay-warning').isVisible(), true);
    await page.locator('input[name=signing][value=own]').check();
    await page.locator('.relay-form button[type=submit]').click();
    await page.locator('#relay-secret-text').waitFor();
    assert.match(await page.locator('#relay-secret-text').textContent(), /^[0-9a-f]{32}$/);
    // Loading it again shows no secret and adds nothing.
    await page.reload();
    assert.equal(await page.locator('#relay-secret-text').count(), 0);
    await page.goto(page.url().replace(/\/[^/]+$/, ''));
    assert.equal(await page.locator('.relay-row').count(), 4);
    await page.locator('.relay-row-link', { hasText: 'Test system' }).click();
    added = page.url();
    await inspect('destination');
  });

  it('tests it, and shows by itself what fails', async () => {
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await page.locator('.relay-tried.is-ok').waitFor();
    await answers('refuses');
    await says('Is anybody there?');
    await page.locator('.relay-attempt .relay-status.is-danger', { hasText: '400' }).waitFor(BY_ITSELF);
    await page.locator('.relay-chart rect.is-failed').first().waitFor(BY_ITSELF);
    await page.locator('.relay-attempt-link').first().click();
    await page.locator('.relay-told', { hasText: 'Is anybody there?' }).waitFor();
    assert.match(await page.locator('#relay-curl').textContent(), /openssl dgst -sha256/);
    await inspect('attempt');
  });

  it('tries again what was refused', async () => {
    await answers('ok');
    await page.goto(`${added}/parked`);
    await inspect('parked');
    await page.locator('.page-actions button').click();
    await page.locator('#relay-retry-all button[type=submit]').click();
    await page.locator('.toast').waitFor();
    await page.goto(added);
    await page.locator('.relay-attempt .relay-status.is-ok').first().waitFor(BY_ITSELF);
    await page.goto(`${added}/parked`);
    assert.equal(await page.locator('.relay-parked-row').count(), 0);
  });

  it('dismisses what was chosen after asking once', async () => {
    await answers('refuses');
    await says('Drop this');
    await page.goto(added);
    await page.locator('.relay-figures a[href$="/parked"]').waitFor(BY_ITSELF);
    await page.goto(`${added}/parked`);
    await page.locator('.relay-choose-all input').check();
    await page.getByRole('button', { name: 'Dismiss chosen' }).click();
    await page.locator('#relay-dismiss[open] .button.danger').click();
    await page.locator('.toast').waitFor();
    assert.equal(await page.locator('.relay-parked-row').count(), 0);
    await answers('ok');
  });

  it('retries by itself while the system is down', async () => {
    await page.goto(added);
    await answers('busy');
    await says('Down?');
    await page.locator('.relay-head .badge.warning').waitFor(BY_ITSELF);
    // The longest words of what may be done.
    await page.context().setExtraHTTPHeaders({ 'accept-language': 'ja' });
    await page.reload();
    await inspect('retrying');
    await page.context().setExtraHTTPHeaders({});
    await page.reload();
    await answers('ok');
    await page.locator('.relay-head .badge.ok').waitFor(BY_ITSELF);
  });

  it('pauses and resumes', async () => {
    await act('Pause');
    await page.locator('.relay-head .badge.neutral').waitFor();
    await says('While paused');
    await page.locator('.relay-advice-acts button').click();
    await page.locator('.relay-head .badge.ok').waitFor();
    await page.locator('.relay-attempt').nth(4).waitFor(BY_ITSELF);
  });

  it('sends chosen attempts and a time again', async () => {
    const before_ = await page.locator('.relay-attempt').count();
    await page.locator('.relay-pick input').first().check();
    await page.locator('.relay-again button').click();
    await page.locator('.toast').waitFor();
    await page.locator('.relay-attempt').nth(before_).waitFor(BY_ITSELF);
    await act('Send a time again');
    await page.locator('.account-block .form button').click();
    const found = page.locator('#relay-count');
    await found.waitFor();
    await inspect('replay');
    assert.match(await found.innerText(), /Send \d+ again/);
    await found.locator('button').click();
    await page.locator('.toast').waitFor();
    await page.locator('.relay-attempt').nth(before_ + 2).waitFor(BY_ITSELF);
  });

  it('deletes it after asking once', async () => {
    await act('Delete');
    await page.locator('#relay-delete[open] .button.danger').click();
    await page.waitForURL(/\/relay$/);
    assert.equal(await page.locator('.relay-row').count(), 3);
  });
});
