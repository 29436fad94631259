// Coupons, membership, mission stickers, LIFF apps, module channels.

import assert from 'node:assert/strict';
import {
  channelAccessToken, liff as liffApi, moduleAttach, moduleOperation, shop as shopApi,
} from '@line/bot-sdk';
import { control, refusal, sandbox } from './stage.mjs';

const back = 'https://module.example/done';

export const walk = async (stage) => {
  await coupons(stage);
  await memberships(stage);
  await stickers(stage);
  await liff(stage);
  await module(stage);
};

const coupons = async ({ api, userId }) => {
  const now = Math.floor((await control('GET', '/clock')).now / 1_000);
  const { couponId } = await api.createCoupon({
    title: 'Half price',
    reward: { type: 'discount', priceInfo: { type: 'fixed', fixedAmount: 50 } },
    acquisitionCondition: { type: 'normal' },
    startTimestamp: now - 60,
    endTimestamp: now + 3_600,
    timezone: 'ASIA_BANGKOK',
    visibility: 'UNLISTED',
    maxUseCountPerTicket: 1,
  });
  const listed = await api.listCoupon(new Set(['RUNNING', 'CLOSED']), undefined, 10);
  assert.deepEqual(listed.items, [{ couponId, title: 'Half price' }]);
  assert.equal((await api.getCouponDetail(couponId)).status, 'RUNNING');
  await api.pushMessage({ to: userId, messages: [{ type: 'coupon', couponId }] });
  await api.closeCoupon(couponId);
  await refusal(410, () => api.closeCoupon(couponId));
  await refusal(404, () => api.getCouponDetail('01K0B456W5Y6SBD3YH74YM6QE6'));
};

const memberships = async ({ api, channelId, userId, act, event }) => {
  await refusal(404, () => api.getMembershipList());
  const plan = { title: 'Basic', price: 500, benefits: ['photos'] };
  const { membershipId } = await control('POST', `/channels/${channelId}/memberships`, plan);
  await act('memberships', { membershipId, type: 'joined' });
  assert.deepEqual((await event('membership')).membership, { type: 'joined', membershipId });
  assert.equal((await api.getMembershipList()).memberships[0].memberCount, 1);
  assert.equal((await api.getMembershipSubscription(userId)).subscriptions[0].membership.title, 'Basic');
  assert.deepEqual((await api.getJoinedMembershipUsers(membershipId, undefined, 10)).userIds, [userId]);
};

const stickers = async ({ options, userId, set }) => {
  const api = new shopApi.ShopClient(options);
  const request = { to: userId, productId: '1234', productType: 'STICKER', sendPresentMessage: false };
  await refusal(403, () => api.missionStickerV3(request));
  await set({ missionStickers: ['1234'] });
  await api.missionStickerV3(request);
};

/** The options for a client of another channel. */
const optionsOf = async ({ channelId, channelSecret }) => {
  const oauth = new channelAccessToken.ChannelAccessTokenClient({ baseURL: sandbox });
  const token = await oauth.issueStatelessChannelTokenByClientSecret(channelId, channelSecret);
  return { channelAccessToken: token.access_token, baseURL: sandbox };
};

const liff = async ({ makeChannel }) => {
  const api = new liffApi.LiffClient(await optionsOf(await makeChannel('login', 'Members')));
  await refusal(404, () => api.getAllLIFFApps());
  const app = {
    view: { type: 'full', url: 'https://shop.example/member', moduleMode: false },
    description: 'Card',
    features: { qrCode: true },
    permanentLinkPattern: 'concat',
    scope: ['profile', 'openid'],
    botPrompt: 'aggressive',
  };
  const { liffId } = await api.addLIFFApp(app);
  const { apps: [shown] } = await api.getAllLIFFApps();
  assert.deepEqual([shown.liffId, shown.view.type, shown.botPrompt], [liffId, 'full', 'aggressive']);
  await api.updateLIFFApp(liffId, { view: { type: 'tall' } });
  assert.equal((await api.getAllLIFFApps()).apps[0].view.type, 'tall');
  await api.deleteLIFFApp(liffId);
  await refusal(404, () => api.deleteLIFFApp(liffId));
};

const module = async ({ makeChannel, channelId, botUserId, userId }) => {
  const channel = await makeChannel('module', 'Helper');
  await control('PATCH', `/channels/${channel.channelId}`, { callbackUrls: [back] });
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: channel.channelId,
    redirect_uri: back,
    scope: 'message:send message:receive',
    state: 's1',
    sandbox_approve: '1',
    basic_search_id: (await control('GET', `/channels/${channelId}`)).basicId,
  });
  const page = await fetch(`${sandbox}/module/auth/v1/authorize?${query}`, { redirect: 'manual' });
  const code = new URL(page.headers.get('location')).searchParams.get('code');
  const { channelId: id, channelSecret: secret } = channel;
  // The SDK sends a bearer token, so the form names the client.
  const attach = new moduleAttach.LineModuleAttachClient({ channelAccessToken: '', baseURL: sandbox });
  const attached = await attach.attachModule('authorization_code', code, back, undefined, id, secret);
  assert.equal(attached.bot_id, botUserId);
  const headers = { 'X-Line-Bot-Id': botUserId };
  const api = new moduleOperation.LineModuleClient({ ...(await optionsOf(channel)), defaultHeaders: headers });
  assert.deepEqual((await api.getModules(undefined, 10)).bots.map((bot) => bot.userId), [botUserId]);
  await api.acquireChatControl(userId, { expired: true, ttl: 3_600 });
  await api.releaseChatControl(userId);
  await api.detachModule({ botId: botUserId });
  assert.deepEqual((await api.getModules()).bots, []);
};
