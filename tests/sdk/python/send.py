"""Sending: push, multicast, narrowcast, broadcast, by phone number; validation."""

import hashlib
import json
import uuid

from linebot.v3.messaging import (
    BroadcastRequest,
    Filter,
    FlexContainer,
    FlexMessage,
    GenderDemographicFilter,
    Limit,
    MessageAction,
    MulticastRequest,
    NarrowcastRequest,
    PnpMessagesRequest,
    PnpTemplatedItem,
    PnpTemplatedMessageBody,
    PnpTemplatedMessageRequest,
    PushMessageRequest,
    QuickReply,
    QuickReplyItem,
    StickerMessage,
    TextMessage,
    ValidateMessageRequest,
)

from linebot.v3.webhooks import PnpDeliveryCompletionEvent

from stage import NOBODY, advance, control, message, refusal


def walk(stage):
    push(stage)
    many(stage)
    narrowcast(stage)
    validate(stage)
    phone(stage)


def once(call, request):
    """Sends with a retry key; the same key is refused. Gives the first answer."""
    key = str(uuid.uuid4())
    first = call(request, x_line_retry_key=key)
    again = refusal(409, lambda: call(request, x_line_retry_key=key))
    assert again.headers["x-line-accepted-request-id"] == first.headers["x-line-request-id"]
    return first


def push(stage):
    bubble = {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": "茶"}]}}
    choice = QuickReply(items=[QuickReplyItem(action=MessageAction(label="Yes", text="Yes"))])
    messages = [
        TextMessage(text="news \U0001F600"),
        StickerMessage(package_id="446", sticker_id="1988"),
        FlexMessage(alt_text="menu", contents=FlexContainer.from_dict(bubble), quick_reply=choice),
    ]
    sent = once(stage.api.push_message_with_http_info, PushMessageRequest(to=stage.user_id, messages=messages))
    assert len(sent.data.sent_messages) == 3
    shown = [item["message"] for item in stage.timeline()[-3:]]
    assert [item["type"] for item in shown] == ["text", "sticker", "flex"] and shown[2]["contents"] == bubble
    error = refusal(400, lambda: stage.api.push_message(PushMessageRequest(to=NOBODY, messages=messages)))
    assert message(error) == "Failed to send messages"
    empty = PushMessageRequest(to=stage.user_id, messages=[TextMessage(text="")])
    details = json.loads(refusal(400, lambda: stage.api.push_message(empty)).body)["details"]
    assert details == [{"message": "May not be empty", "property": "messages[0].text"}]
    used = stage.api.get_message_quota_consumption().total_usage
    assert used == 1
    stage.set(monthlyQuota=1)
    quota = stage.api.get_message_quota()
    assert (quota.type, quota.value) == ("limited", 1)
    over = PushMessageRequest(to=stage.user_id, messages=messages[:1])
    assert message(refusal(429, lambda: stage.api.push_message(over))) == "You have reached your monthly limit."
    stage.set(monthlyQuota=None)


def many(stage):
    text = [TextMessage(text="all")]
    once(stage.api.multicast_with_http_info, MulticastRequest(to=[stage.user_id], messages=text))
    wrong = MulticastRequest(to=[stage.user_id, "someone"], messages=text)
    assert "to[1]" in message(refusal(400, lambda: stage.api.multicast(wrong)))
    once(stage.api.broadcast_with_http_info, BroadcastRequest(messages=text))
    assert [item["via"] for item in stage.timeline()[-2:]] == ["multicast", "broadcast"]


def narrowcast(stage):
    text = [TextMessage(text="some")]
    limit = Limit(max=10, up_to_remaining_quota=True)
    sent = once(stage.api.narrowcast_with_http_info, NarrowcastRequest(messages=text, limit=limit))
    request_id = sent.headers["x-line-request-id"]
    assert sent.status_code == 202
    advance(60_000)
    progress = stage.api.get_narrowcast_progress(request_id)
    assert (progress.phase, progress.success_count) == ("succeeded", 1), progress
    refusal(404, lambda: stage.api.get_narrowcast_progress(str(uuid.uuid4())))
    few = Filter(demographic=GenderDemographicFilter(one_of=["male"]))
    error = refusal(403, lambda: stage.api.narrowcast(NarrowcastRequest(messages=text, filter=few)))
    assert message(error) == "Your account does not have enough friends"


def validate(stage):
    good = ValidateMessageRequest(messages=[TextMessage(text="fine")])
    bad = ValidateMessageRequest(messages=[TextMessage(text="")])
    for kind in ("reply", "push", "multicast", "narrowcast", "broadcast"):
        call = getattr(stage.api, f"validate_{kind}")
        call(good)
        refusal(400, lambda: call(bad))


def phone(stage):
    number = f"+8180{uuid.uuid4().int % 10**8:08}"
    user, _ = stage.make_person({"displayName": "Hana", "phone": number})
    to, tag = hashlib.sha256(number.encode()).hexdigest(), "delivery-tag-0001"
    request = PnpMessagesRequest(to=to, messages=[TextMessage(text="parcel")])
    stage.api.push_messages_by_phone(request, x_line_delivery_tag=tag)
    assert stage.event(PnpDeliveryCompletionEvent).delivery.data == tag
    items = [PnpTemplatedItem(item_key="time_range_001_ja", content="10:00")]
    body = PnpTemplatedMessageBody(items=items)
    templated = PnpTemplatedMessageRequest(to=to, template_key="shipment_completed_ja", body=body)
    stage.api.push_templated_messages_by_phone(templated, x_line_delivery_tag=tag)
    stage.event(PnpDeliveryCompletionEvent)
    timeline = control("GET", f"/users/{user}/timeline?channelId={stage.channel}")["items"]
    assert len(timeline) == 2, timeline
    nobody = PnpMessagesRequest(to="0" * 64, messages=[TextMessage(text="x")])
    refusal(422, lambda: stage.api.push_messages_by_phone(nobody))
