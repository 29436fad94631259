// The account's server and its chats: webhook, reply, content, people, groups.

import assert from 'node:assert/strict';
import { bytes, control, makeStage, nobody, refusal } from './stage.mjs';

const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Makes the stage; the friend has followed at the end. */
export const walk = async () => {
  const stage = await makeStage('Node Tea');
  await connect(stage);
  await texts(stage);
  await people(stage);
  await media(stage);
  for (const kind of ['group', 'room']) await groups(stage, kind);
  return stage;
};

const connect = async ({ api, server, verified, set, act, event, botUserId }) => {
  await refusal(404, () => api.getWebhookEndpoint());
  const test = await api.testWebhookEndpoint({ endpoint: server.url });
  assert.deepEqual([test.success, test.statusCode, test.reason], [true, 200, 'OK']);
  assert.deepEqual(await verified(), []);
  await api.setWebhookEndpoint({ endpoint: server.url });
  await set({ useWebhook: true, groupChats: true, greeting: false, autoReply: false });
  assert.deepEqual(await api.getWebhookEndpoint(), { endpoint: server.url, active: true });
  const bot = await api.getBotInfo();
  assert.deepEqual([bot.userId, bot.displayName, bot.chatMode], [botUserId, 'Node Tea', 'bot']);
  await act('follow');
  assert.equal((await event('follow')).follow.isUnblocked, false);
};

const texts = async ({ api, act, event, set, userId }) => {
  await act('messages', { message: { type: 'text', text: 'สวัสดี \u{1F600}' } });
  const written = await event('message');
  assert.deepEqual([written.message.text, written.source.userId], ['สวัสดี \u{1F600}', userId]);
  const reply = { replyToken: written.replyToken, messages: [{ type: 'text', text: 'welcome' }] };
  const answered = await api.replyMessage(reply);
  assert.equal(typeof answered.sentMessages[0].id, 'string');
  assert.equal((await refusal(400, () => api.replyMessage(reply))).body.message, 'Invalid reply token');
  await set({ chatMode: 'chat', markAsReadMode: 'manual', partner: true });
  await api.markMessagesAsReadByToken({ markAsReadToken: written.message.markAsReadToken });
  await api.markMessagesAsRead({ chat: { userId } });
  await api.showLoadingAnimation({ chatId: userId, loadingSeconds: 5 });
  assert.ok((await api.issueLinkToken(userId)).linkToken);
};

const people = async ({ api, userId, set }) => {
  assert.deepEqual(await api.getProfile(userId), { displayName: 'Mali \u{1F600}', userId, language: 'th' });
  await refusal(404, () => api.getProfile(nobody));
  await refusal(403, () => api.getFollowers());
  await set({ accountType: 'premium' });
  assert.deepEqual((await api.getFollowers(undefined, 10)).userIds, [userId]);
};

const media = async ({ api, blobs, act, event }) => {
  const contentBase64 = picture.toString('base64');
  await act('messages', { message: { type: 'image', contentBase64 } });
  const image = (await event('message')).message;
  assert.deepEqual(await bytes(await blobs.getMessageContent(image.id)), picture);
  assert.ok((await bytes(await blobs.getMessageContentPreview(image.id))).length);
  await act('messages', { message: { type: 'video', duration: 900, preparingMs: 60_000, contentBase64 } });
  const video = (await event('message')).message;
  assert.equal((await blobs.getMessageContentWithHttpInfo(video.id)).httpResponse.status, 202);
  assert.equal((await blobs.getMessageContentTranscodingByMessageId(video.id)).status, 'processing');
  await act('postbacks', { data: 'action=buy', params: { date: '2026-01-01' } });
  assert.deepEqual((await event('postback')).postback.params, { date: '2026-01-01' });
  await act('unsend', { messageId: image.id });
  assert.equal((await event('unsend')).unsend.messageId, image.id);
  await refusal(410, () => blobs.getMessageContent(image.id));
};

const groups = async ({ api, channelId, user, userId, event }, kind) => {
  const fields = { name: 'Friends', channelId, members: [user], kind };
  const { groupId } = await control('POST', '/groups', fields);
  await event('join');
  const title = kind === 'group' ? 'Group' : 'Room';
  if (kind === 'group') assert.deepEqual(await api.getGroupSummary(groupId), { groupId, groupName: 'Friends' });
  assert.deepEqual(await api[`get${title}MemberCount`](groupId), { count: 1 });
  assert.deepEqual((await api[`get${title}MembersIds`](groupId)).memberIds, [userId]);
  assert.equal((await api[`get${title}MemberProfile`](groupId, userId)).userId, userId);
  await refusal(404, () => api[`get${title}MemberProfile`](groupId, nobody));
  await api[`leave${title}`](groupId);
  await refusal(404, () => api[`get${title}MemberCount`](groupId));
};
