"""The account's server and its chats: webhook, reply, content, people, groups."""

import base64

from linebot.v3.messaging import (
    ChatReference,
    MarkMessagesAsReadByTokenRequest,
    MarkMessagesAsReadRequest,
    ReplyMessageRequest,
    SetWebhookEndpointRequest,
    ShowLoadingAnimationRequest,
    TestWebhookEndpointRequest,
    TextMessage,
)
from linebot.v3.webhooks import (
    FollowEvent,
    ImageMessageContent,
    JoinEvent,
    MessageEvent,
    PostbackEvent,
    StickerMessageContent,
    TextMessageContent,
    UnfollowEvent,
    UnsendEvent,
    VideoMessageContent,
)

from stage import NOBODY, Stage, control, message, refusal

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def walk():
    """Makes the stage; the friend has followed at the end."""
    stage = Stage("パイソン茶屋")
    connect(stage)
    texts(stage)
    people(stage)
    media(stage)
    for kind in ("group", "room"):
        groups(stage, kind)
    return stage


def connect(stage):
    api, url = stage.api, stage.receiver.url
    assert refusal(404, api.get_webhook_endpoint)
    test = api.test_webhook_endpoint(TestWebhookEndpointRequest(endpoint=url))
    assert (test.success, test.status_code, test.reason) == (True, 200, "OK"), test
    assert stage.parser.parse(*stage.receiver.next()) == []
    api.set_webhook_endpoint(SetWebhookEndpointRequest(endpoint=url))
    stage.set(useWebhook=True, groupChats=True, greeting=False, autoReply=False)
    endpoint = api.get_webhook_endpoint()
    assert (endpoint.endpoint, endpoint.active) == (url, True)
    bot = api.get_bot_info()
    assert (bot.user_id, bot.display_name, bot.chat_mode) == (stage.bot, "パイソン茶屋", "bot")
    stage.act("follow")
    assert stage.event(FollowEvent).follow.is_unblocked is False


def texts(stage):
    sent = stage.act("messages", {"message": {"type": "text", "text": "hello \U0001F600 茶"}})
    written = stage.event(MessageEvent)
    assert isinstance(written.message, TextMessageContent)
    assert (written.message.id, written.message.text) == (sent["messageId"], "hello \U0001F600 茶")
    assert written.source.user_id == stage.user_id and written.webhook_event_id == sent["webhookEventId"]
    reply = ReplyMessageRequest(reply_token=written.reply_token, messages=[TextMessage(text="welcome")])
    [answered] = stage.api.reply_message(reply).sent_messages
    assert answered.id.isdigit() and answered.quote_token
    assert message(refusal(400, lambda: stage.api.reply_message(reply))) == "Invalid reply token"
    stage.set(chatMode="chat", markAsReadMode="manual", partner=True)
    token = MarkMessagesAsReadByTokenRequest(mark_as_read_token=written.message.mark_as_read_token)
    stage.api.mark_messages_as_read_by_token(token)
    stage.api.mark_messages_as_read(MarkMessagesAsReadRequest(chat=ChatReference(user_id=stage.user_id)))
    stage.api.show_loading_animation(ShowLoadingAnimationRequest(chat_id=stage.user_id, loading_seconds=5))
    assert stage.api.issue_link_token(stage.user_id).link_token


def people(stage):
    profile = stage.api.get_profile(stage.user_id)
    assert (profile.display_name, profile.user_id, profile.language) == ("小明 \U0001F600", stage.user_id, "zh-TW")
    refusal(404, lambda: stage.api.get_profile(NOBODY))
    refusal(403, stage.api.get_followers)
    stage.set(accountType="premium")
    assert stage.api.get_followers(limit=10).user_ids == [stage.user_id]


def media(stage):
    blobs, picture = stage.blobs, base64.b64encode(PICTURE).decode()
    stage.act("messages", {"message": {"type": "image", "contentBase64": picture}})
    image = stage.event(MessageEvent).message
    assert isinstance(image, ImageMessageContent) and image.content_provider.type == "line"
    assert bytes(blobs.get_message_content(image.id)) == PICTURE
    assert bytes(blobs.get_message_content_preview(image.id))
    stage.act("messages", {"message": {"type": "video", "duration": 900, "preparingMs": 60_000, "contentBase64": picture}})
    video = stage.event(MessageEvent).message
    assert isinstance(video, VideoMessageContent)
    assert blobs.get_message_content_with_http_info(video.id).status_code == 202
    assert blobs.get_message_content_transcoding_by_message_id(video.id).status == "processing"
    stage.act("messages", {"message": {"type": "sticker", "packageId": "446", "stickerId": "1988"}})
    assert isinstance(stage.event(MessageEvent).message, StickerMessageContent)
    stage.act("postbacks", {"data": "action=buy", "params": {"date": "2026-01-01"}})
    assert stage.event(PostbackEvent).postback.params == {"date": "2026-01-01"}
    stage.act("unsend", {"messageId": image.id})
    assert stage.event(UnsendEvent).unsend.message_id == image.id
    refusal(410, lambda: blobs.get_message_content(image.id))
    stage.act("unfollow")
    stage.event(UnfollowEvent)
    stage.act("follow")
    assert stage.event(FollowEvent).follow.is_unblocked is True


def groups(stage, kind):
    api = stage.api
    fields = {"name": "Friends", "channelId": stage.channel, "members": [stage.user], "kind": kind}
    place = control("POST", "/groups", fields)["groupId"]
    stage.event(JoinEvent)

    def call(name, *arguments):
        return getattr(api, name.format(kind))(place, *arguments)

    if kind == "group":
        summary = api.get_group_summary(place)
        assert (summary.group_id, summary.group_name) == (place, "Friends")
    assert call("get_{}_member_count").count == 1
    assert call("get_{}_members_ids").member_ids == [stage.user_id]
    assert call("get_{}_member_profile", stage.user_id).display_name == "小明 \U0001F600"
    refusal(404, lambda: call("get_{}_member_profile", NOBODY))
    call("leave_{}")
    refusal(404, lambda: call("get_{}_member_count"))
