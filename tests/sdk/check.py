"""LINE's Python SDK as a client of the sandbox: tokens, webhook, reply, push, profile, content, quota."""

import base64
import json
import queue
import sys
import threading
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

from linebot.v3 import WebhookParser
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import (
    ApiClient,
    ApiException,
    Configuration,
    MessagingApi,
    MessagingApiBlob,
    PushMessageRequest,
    ReplyMessageRequest,
    SetWebhookEndpointRequest,
    ShowLoadingAnimationRequest,
    StickerMessage,
    TestWebhookEndpointRequest,
    TextMessage,
    ValidateMessageRequest,
)
from linebot.v3.oauth import ApiClient as OAuthClient, ChannelAccessToken, Configuration as OAuthConfiguration
from linebot.v3.webhooks import (
    FollowEvent,
    ImageMessageContent,
    MessageEvent,
    PostbackEvent,
    StickerMessageContent,
    TextMessageContent,
    UnfollowEvent,
    UnsendEvent,
)

SANDBOX = sys.argv[1].rstrip("/")
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def control(method, path, fields):
    request = urllib.request.Request(
        f"{SANDBOX}/sandbox/v1{path}",
        method=method,
        data=json.dumps(fields).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


class Receiver:
    """The account's server: hands over raw bodies with their signatures."""

    def __init__(self):
        received = self.received = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                received.put((body.decode(), self.headers["x-line-signature"]))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/callback"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        return self.received.get(timeout=5)


def refusal(status, call):
    try:
        call()
    except ApiException as error:
        assert error.status == status, (error.status, error.body)
        return error
    raise AssertionError(f"expected {status}")


def main():
    provider = control("POST", "/providers", {"name": "Python"})["providerId"]
    channel = control("POST", "/channels", {"providerId": provider, "type": "messaging", "name": "パイソン茶屋"})
    channel_id, secret = channel["channelId"], channel["channelSecret"]
    person = control("POST", "/users", {"displayName": "小明 \U0001F600", "language": "zh-TW"})
    user, user_id = person["user"], person["userId"][provider]
    receiver = Receiver()

    with OAuthClient(OAuthConfiguration(host=SANDBOX)) as client:
        token = ChannelAccessToken(client).issue_stateless_channel_token(
            grant_type="client_credentials", client_id=channel_id, client_secret=secret
        )
    assert token.expires_in == 900

    with ApiClient(Configuration(host=SANDBOX, access_token=token.access_token)) as client:
        api, blobs = MessagingApi(client), MessagingApiBlob(client)
        bot = api.get_bot_info()
        assert (bot.user_id, bot.display_name, bot.chat_mode) == (channel["botUserId"], "パイソン茶屋", "bot")

        parser = WebhookParser(secret)
        test = api.test_webhook_endpoint(TestWebhookEndpointRequest(endpoint=receiver.url))
        assert test.success and test.status_code == 200, test
        assert parser.parse(*receiver.next()) == []
        api.set_webhook_endpoint(SetWebhookEndpointRequest(endpoint=receiver.url))
        control("PATCH", f"/channels/{channel_id}", {"useWebhook": True, "greeting": False, "autoReply": False})
        endpoint = api.get_webhook_endpoint()
        assert (endpoint.endpoint, endpoint.active) == (receiver.url, True)

        def act(what, fields):
            return control("POST", f"/users/{user}/{what}", {"channelId": channel_id, **fields})

        def event(kind):
            body, signature = receiver.next()
            try:
                parser.parse(body + " ", signature)
                raise AssertionError("a changed body must not verify")
            except InvalidSignatureError:
                pass
            payload = parser.parse(body, signature, as_payload=True)
            assert payload.destination == channel["botUserId"]
            [found] = payload.events
            assert isinstance(found, kind), found
            return found

        act("follow", {})
        assert event(FollowEvent).follow.is_unblocked is False
        sent = act("messages", {"message": {"type": "text", "text": "hello \U0001F600 茶"}})
        written = event(MessageEvent)
        assert isinstance(written.message, TextMessageContent)
        assert (written.message.id, written.message.text) == (sent["messageId"], "hello \U0001F600 茶")
        assert written.source.user_id == user_id and written.webhook_event_id == sent["webhookEventId"]

        reply = ReplyMessageRequest(reply_token=written.reply_token, messages=[TextMessage(text="welcome")])
        [answered] = api.reply_message(reply).sent_messages
        assert answered.id.isdigit() and answered.quote_token
        assert json.loads(refusal(400, lambda: api.reply_message(reply)).body)["message"] == "Invalid reply token"

        profile = api.get_profile(user_id)
        assert (profile.display_name, profile.user_id, profile.language) == ("小明 \U0001F600", user_id, "zh-TW")
        refusal(404, lambda: api.get_profile("U" + "0" * 32))

        push = PushMessageRequest(
            to=user_id, messages=[TextMessage(text="news"), StickerMessage(package_id="446", sticker_id="1988")]
        )
        key = str(uuid.uuid4())
        first = api.push_message_with_http_info(push, x_line_retry_key=key)
        assert len(first.data.sent_messages) == 2
        again = refusal(409, lambda: api.push_message(push, x_line_retry_key=key))
        assert again.headers["x-line-accepted-request-id"] == first.headers["x-line-request-id"]
        assert api.get_message_quota_consumption().total_usage == 1
        control("PATCH", f"/channels/{channel_id}", {"monthlyQuota": 1})
        quota = api.get_message_quota()
        assert (quota.type, quota.value) == ("limited", 1)
        refusal(429, lambda: api.push_message(push))
        api.validate_push(ValidateMessageRequest(messages=[TextMessage(text="fine")]))
        api.show_loading_animation(ShowLoadingAnimationRequest(chat_id=user_id, loading_seconds=5))

        act("messages", {"message": {"type": "image", "contentBase64": base64.b64encode(PICTURE).decode()}})
        image = event(MessageEvent).message
        assert isinstance(image, ImageMessageContent) and image.content_provider.type == "line"
        assert bytes(blobs.get_message_content(image.id)) == PICTURE
        act("messages", {"message": {"type": "sticker", "packageId": "446", "stickerId": "1988"}})
        assert isinstance(event(MessageEvent).message, StickerMessageContent)
        act("postbacks", {"data": "action=buy", "params": {"date": "2026-01-01"}})
        assert event(PostbackEvent).postback.params == {"date": "2026-01-01"}
        act("unsend", {"messageId": image.id})
        assert event(UnsendEvent).unsend.message_id == image.id
        refusal(410, lambda: blobs.get_message_content(image.id))
        act("unfollow", {})
        event(UnfollowEvent)

    shown = [item["message"]["type"] for item in timeline(user, channel_id)]
    assert shown == ["text", "text", "text", "sticker", "image", "sticker"], shown
    print("python: line-bot-sdk is content")


def timeline(user, channel_id):
    with urllib.request.urlopen(f"{SANDBOX}/sandbox/v1/users/{user}/timeline?channelId={channel_id}") as answer:
        return json.load(answer)["items"]


if __name__ == "__main__":
    main()
