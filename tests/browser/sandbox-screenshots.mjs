// The README's pictures of the sandbox: `node sandbox-screenshots.mjs README_FOLDER`; called by scripts/screenshots.sh.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { openWindow, startBrowser, startSandbox } from './demo.mjs';

const [readmeFolder] = process.argv.slice(2);
const showcase = new URL('../../crates/line-view/tests/showcase/', import.meta.url);
const LANGUAGES = [
  {
    language: 'en', locale: 'en-US', ending: '', card: 'shopping',
    answer: 'Yes, and it goes well with these.', keep: 'Ten cups at three, to the usual address?', yes: 'Yes', no: 'No',
    saturday: 'Who is in for the tasting on Saturday?', me: 'I am.', welcome: 'Welcome, {who}. Two o’clock at the shop.', question: 'May I bring a friend?',
    say: 'Of course. How many are you?', replies: ['Two', 'Three', 'More'], bar: 'Menu', tabs: ['Today', 'Members'],
    cells: ['Tea list', 'Order', 'Find us', 'Coupons', 'Opening hours', 'Ask us'],
  },
  {
    language: 'zh-Hant', locale: 'zh-TW', ending: '.zh-Hant', card: 'restaurant',
    answer: '還有的。想現場喝，隔壁這家也用我們的茶：', keep: '下午三點，十杯，送到老地方，對嗎？', yes: '對', no: '不對',
    saturday: '星期六的品茶會，誰要去？', me: '我要去', welcome: '歡迎 {who}，下午兩點在店裡見。', question: '可以帶朋友嗎？',
    say: '當然可以。一共幾位呢？', replies: ['兩位', '三位', '更多'], bar: '選單', tabs: ['今日推薦', '會員專區'],
    cells: ['茶單', '訂購', '交通', '優惠券', '營業時間', '問我們'],
  },
];

const trouble = [];
const server = createServer(async (request, response) => {
  const picture = /^\/([a-z-]+\.svg)$/.exec(request.url);
  for await (const _ of request);
  if (picture) response.setHeader('content-type', 'image/svg+xml').end(readFileSync(new URL(`pictures/${picture[1]}`, showcase)));
  else response.end();
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const here = `http://127.0.0.1:${server.address().port}`;
let sandbox;
let browser;
try {
  [sandbox, browser] = await Promise.all([startSandbox(), startBrowser()]);
  for (const words of LANGUAGES) await shoot(words);
} finally {
  await browser?.close();
  await sandbox?.stop();
  server.close();
}
for (const line of new Set(trouble)) console.error(line);

async function call(method, path, body, headers = { 'content-type': 'application/json' }) {
  const data = body instanceof Uint8Array || body === undefined ? body : JSON.stringify(body);
  const answer = await fetch(sandbox.sandbox + path, { method, headers, body: data });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** A shop that has talked with its friends; then its phones and its log. */
async function shoot(words) {
  const control = (path, body = {}, method = 'POST') => call(method, `/sandbox/v1${path}`, method === 'GET' ? undefined : body);
  await control('/reset');
  const { channelId, groupId, users, providerId } = await control('/sample', { language: words.language });
  await control(`/channels/${channelId}`, { useWebhook: true, webhookEndpoint: `${here}/webhook`, greeting: false, autoReply: false }, 'PATCH');
  const { accessToken } = await control(`/channels/${channelId}/access-token`);
  const line = (path, body, type = 'application/json') => call('POST', path, body, { 'content-type': type, authorization: `Bearer ${accessToken}` });
  const { items } = await control('/users', {}, 'GET');
  const ids = users.map((user) => items.find((one) => one.user === user).userId[providerId]);
  const push = (to, ...messages) => line('/v2/bot/message/push', { to, messages });
  const said = (user, message) => control(`/users/${user}/messages`, { channelId, group: groupId, message });

  const card = JSON.parse(readFileSync(new URL(`${words.card}.json`, showcase), 'utf8').replaceAll('{pictures}', here));
  await push(ids[0], { type: 'text', text: words.answer }, card);
  const choice = (label) => ({ type: 'message', label, text: label });
  await push(ids[1], { type: 'template', altText: words.keep, template: { type: 'confirm', text: words.keep, actions: [choice(words.yes), choice(words.no)] } });
  await said(users[1], { type: 'text', text: words.saturday });
  const { messageId } = await said(users[0], { type: 'text', text: words.me });
  const who = { type: 'mention', mentionee: { type: 'user', userId: ids[0] } };
  await push(groupId, { type: 'textV2', text: words.welcome, substitution: { who } });
  await said(users[2], { type: 'text', text: words.question, quotedMessageId: messageId });
  const items_ = words.replies.map((label) => ({ type: 'action', action: choice(label) }));
  await push(groupId, { type: 'text', text: words.say, quickReply: { items: items_ } });
  const { richMenuId } = await line('/v2/bot/richmenu', {
    size: { width: 2500, height: 1686 }, selected: true, name: 'menu', chatBarText: words.bar,
    areas: words.cells.map((text, number) => ({ bounds: { x: (number % 3) * 833, y: 286 + Math.floor(number / 3) * 700, width: 833, height: 700 }, action: choice(text) })),
  });
  await line(`/v2/bot/richmenu/${richMenuId}/content`, await menu(words), 'image/png');
  await line(`/v2/bot/user/${ids[1]}/richmenu/${richMenuId}`, {});

  const window_ = await openWindow(browser, trouble, { viewport: { width: 1320, height: 900 }, colorScheme: 'light', locale: words.locale });
  const page = await window_.newPage();
  await page.goto(`${sandbox.sandbox}/phones?users=${users}`);
  const frames = page.frames().slice(1);
  for (const [number, chat] of [channelId, channelId, groupId].entries()) {
    await frames[number].goto(`${sandbox.sandbox}/phone/${users[number]}/${chat}`);
  }
  await page.waitForTimeout(1_500);
  await page.screenshot({ path: join(readmeFolder, `sandbox-phones${words.ending}.png`) });
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${sandbox.sandbox}/log`);
  await page.locator('.log-row', { hasText: 'message' }).filter({ hasText: 'text' }).first().click();
  await page.locator('#detail pre').waitFor();
  await page.mouse.move(0, 0);
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(readmeFolder, `sandbox-console${words.ending}.png`) });
  await window_.close();
}

/** A rich menu's picture: two tabs and six fields. */
async function menu(words) {
  const page = await browser.newPage({ viewport: { width: 2500, height: 1686 } });
  const cells = words.cells.map((text) => `<p>${text}</p>`).join('');
  await page.setContent(`<style>*{margin:0}body{background:#f6f1e7;color:#3b3a36;font:600 104px/1 sans-serif}div{display:grid;gap:6px}
    .tabs{grid-template-columns:1fr 1fr;height:286px;gap:0;background:#c9b896;color:#fff}.tabs p:first-child{background:#f6f1e7;color:#3b3a36}
    .cells{grid-template-columns:1fr 1fr 1fr;height:1400px;background:#ded6c6}p{display:grid;place-items:center;text-align:center}.cells p{background:#f6f1e7}
    </style><div class="tabs">${words.tabs.map((text) => `<p>${text}</p>`).join('')}</div><div class="cells">${cells}</div>`);
  const picture = await page.screenshot();
  await page.close();
  return picture;
}
