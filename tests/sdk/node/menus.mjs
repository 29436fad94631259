// Rich menus.

import assert from 'node:assert/strict';
import { advance, bytes, refusal } from './stage.mjs';

// All that anybody looks at: the size.
const png = Buffer.alloc(24);
png.write('\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR', 'latin1');
png.writeUInt32BE(2500, 16);
png.writeUInt32BE(843, 20);

export const walk = async (stage) => {
  const first = await make(stage);
  const second = await make(stage);
  await aliases(stage, first);
  await links(stage, first);
  await batch(stage, first, second);
  await stage.api.deleteRichMenu(first);
  await refusal(404, () => stage.api.getRichMenu(first));
};

const make = async ({ api, blobs }) => {
  const area = { bounds: { x: 0, y: 0, width: 2500, height: 843 }, action: { type: 'message', text: 'hi' } };
  const menu = { size: { width: 2500, height: 843 }, selected: true, name: 'main', chatBarText: 'menu', areas: [area] };
  await api.validateRichMenuObject(menu);
  const { richMenuId } = await api.createRichMenu(menu);
  const bare = await refusal(400, () => api.setDefaultRichMenu(richMenuId));
  assert.equal(bare.body.message, 'must upload richmenu image before applying it to user');
  await blobs.setRichMenuImage(richMenuId, new Blob([png], { type: 'image/png' }));
  assert.deepEqual(await bytes(await blobs.getRichMenuImage(richMenuId)), png);
  assert.deepEqual((await api.getRichMenu(richMenuId)).areas, [area]);
  assert.ok((await api.getRichMenuList()).richmenus.some((known) => known.richMenuId === richMenuId));
  return richMenuId;
};

const aliases = async ({ api }, richMenuId) => {
  const alias = { richMenuAliasId: 'first', richMenuId };
  await api.createRichMenuAlias(alias);
  const again = await refusal(400, () => api.createRichMenuAlias(alias));
  assert.equal(again.body.message, 'conflict richmenu alias id');
  await api.updateRichMenuAlias('first', { richMenuId });
  assert.deepEqual(await api.getRichMenuAlias('first'), alias);
  assert.deepEqual((await api.getRichMenuAliasList()).aliases, [alias]);
  await api.deleteRichMenuAlias('first');
  await refusal(404, () => api.getRichMenuAlias('first'));
};

const links = async ({ api, userId }, richMenuId) => {
  await api.setDefaultRichMenu(richMenuId);
  assert.deepEqual(await api.getDefaultRichMenuId(), { richMenuId });
  await api.cancelDefaultRichMenu();
  await refusal(404, () => api.getDefaultRichMenuId());
  await api.linkRichMenuIdToUser(userId, richMenuId);
  assert.deepEqual(await api.getRichMenuIdOfUser(userId), { richMenuId });
  await api.unlinkRichMenuIdFromUser(userId);
  await refusal(404, () => api.getRichMenuIdOfUser(userId));
  await api.linkRichMenuIdToUsers({ richMenuId, userIds: [userId] });
  await advance(10_000);
  assert.deepEqual(await api.getRichMenuIdOfUser(userId), { richMenuId });
  await api.unlinkRichMenuIdFromUsers({ userIds: [userId] });
  await advance(10_000);
  await refusal(404, () => api.getRichMenuIdOfUser(userId));
};

const batch = async ({ api, userId }, from, to) => {
  await api.linkRichMenuIdToUser(userId, from);
  const request = { operations: [{ type: 'link', from, to }] };
  await api.validateRichMenuBatchRequest(request);
  const started = await api.richMenuBatchWithHttpInfo(request);
  assert.equal(started.httpResponse.status, 202);
  await advance(60_000);
  const progress = await api.getRichMenuBatchProgress(started.httpResponse.headers.get('x-line-request-id'));
  assert.equal(progress.phase, 'succeeded');
  assert.deepEqual(await api.getRichMenuIdOfUser(userId), { richMenuId: to });
};
