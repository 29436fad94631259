// LINE's Node SDK as a client of the sandbox: tokens, webhook, reply, push, profile, content, quota.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { channelAccessToken, HTTPFetchError, messagingApi, validateSignature } from '@line/bot-sdk';

const sandbox = process.argv[2].replace(/\/$/, '');
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

const control = async (method, path, fields) => {
  const answer = await fetch(`${sandbox}/sandbox/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: fields && JSON.stringify(fields),
  });
  const body = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  return body;
};

/** The account's server: hands over raw bodies with their signatures, in order. */
const receiver = async () => {
  const received = [];
  const waiting = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const webhook = { body: Buffer.concat(chunks), signature: request.headers['x-line-signature'] };
    const next = waiting.shift();
    if (next) next(webhook);
    else received.push(webhook);
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return {
    url: `http://127.0.0.1:${server.address().port}/callback`,
    next: () => received.shift() ?? new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error('no webhook within 5 s')), 5_000);
      waiting.push((webhook) => {
        clearTimeout(limit);
        resolve(webhook);
      });
    }),
  };
};

const refusal = async (status, call) => {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof HTTPFetchError, error);
    assert.equal(error.status, status, error.body);
    return error;
  }
  throw new Error(`expected ${status}`);
};

const { providerId } = await control('POST', '/providers', { name: 'Node' });
const channel = await control('POST', '/channels', { providerId, type: 'messaging', name: 'Node Tea' });
const { channelId, channelSecret } = channel;
const person = await control('POST', '/users', { displayName: 'Mali \u{1F600}', language: 'th' });
const userId = person.userId[providerId];
const server = await receiver();

const oauth = new channelAccessToken.ChannelAccessTokenClient({ baseURL: sandbox });
const token = await oauth.issueStatelessChannelTokenByClientSecret(channelId, channelSecret);
assert.equal(token.expires_in, 900);
const options = { channelAccessToken: token.access_token, baseURL: sandbox };
const api = new messagingApi.MessagingApiClient(options);
const blobs = new messagingApi.MessagingApiBlobClient(options);

const bot = await api.getBotInfo();
assert.equal(bot.userId, channel.botUserId);
assert.equal(bot.displayName, 'Node Tea');

const verified = async () => {
  const { body, signature } = await server.next();
  assert.ok(validateSignature(body, channelSecret, signature));
  assert.ok(!validateSignature(Buffer.concat([body, Buffer.from(' ')]), channelSecret, signature));
  const webhook = JSON.parse(body);
  assert.equal(webhook.destination, channel.botUserId);
  return webhook.events;
};
const event = async (type) => {
  const [found, ...rest] = await verified();
  assert.equal(rest.length, 0);
  assert.equal(found.type, type);
  assert.equal(found.mode, 'active');
  return found;
};

const test = await api.testWebhookEndpoint({ endpoint: server.url });
assert.deepEqual([test.success, test.statusCode, test.reason], [true, 200, 'OK']);
assert.deepEqual(await verified(), []);
await api.setWebhookEndpoint({ endpoint: server.url });
await control('PATCH', `/channels/${channelId}`, { useWebhook: true, groupChats: true, greeting: false, autoReply: false });
assert.deepEqual(await api.getWebhookEndpoint(), { endpoint: server.url, active: true });

const act = (what, fields) => control('POST', `/users/${person.user}/${what}`, { channelId, ...fields });

await act('follow', {});
await event('follow');
await act('messages', { message: { type: 'text', text: 'สวัสดี \u{1F600}' } });
const written = await event('message');
assert.equal(written.message.text, 'สวัสดี \u{1F600}');
assert.equal(written.source.userId, userId);

const reply = { replyToken: written.replyToken, messages: [{ type: 'text', text: 'welcome' }] };
const answered = await api.replyMessage(reply);
assert.equal(typeof answered.sentMessages[0].id, 'string');
assert.equal(JSON.parse((await refusal(400, () => api.replyMessage(reply))).body).message, 'Invalid reply token');

const profile = await api.getProfile(userId);
assert.deepEqual(profile, { displayName: 'Mali \u{1F600}', userId, language: 'th' });
await refusal(404, () => api.getProfile(`U${'0'.repeat(32)}`));

const push = {
  to: userId,
  messages: [{
    type: 'flex',
    altText: 'menu',
    contents: { type: 'bubble', body: { type: 'box', layout: 'vertical', contents: [{ type: 'text', text: 'tea' }] } },
  }],
};
const key = randomUUID();
const first = await api.pushMessageWithHttpInfo(push, key);
assert.equal(first.body.sentMessages.length, 1);
const again = await refusal(409, () => api.pushMessage(push, key));
assert.equal(again.headers.get('x-line-accepted-request-id'), first.httpResponse.headers.get('x-line-request-id'));
assert.deepEqual(await api.getMessageQuotaConsumption(), { totalUsage: 1 });
assert.deepEqual(await api.getMessageQuota(), { type: 'none' });
const empty = { to: userId, messages: [{ type: 'text', text: '' }] };
assert.match((await refusal(400, () => api.pushMessage(empty))).body, /messages\[0\]\.text/);

await act('messages', { message: { type: 'image', contentBase64: picture.toString('base64') } });
const image = await event('message');
const chunks = [];
for await (const chunk of await blobs.getMessageContent(image.message.id)) chunks.push(chunk);
assert.deepEqual(Buffer.concat(chunks), picture);
await api.markMessagesAsReadByToken({ markAsReadToken: image.message.markAsReadToken });

const { groupId } = await control('POST', '/groups', { name: 'Friends', channelId, members: [person.user] });
await event('join');
assert.deepEqual(await api.getGroupSummary(groupId), { groupId, groupName: 'Friends' });
assert.deepEqual(await api.getGroupMemberCount(groupId), { count: 1 });
assert.equal((await api.getGroupMemberProfile(groupId, userId)).userId, userId);
await api.leaveGroup(groupId);
await refusal(404, () => api.getGroupSummary(groupId));

console.log('node: @line/bot-sdk is content');
process.exit(0);
