"""Coupons, membership, mission stickers, LIFF apps, module channels."""

import base64
import http.client
import json
from urllib.parse import parse_qs, urlencode, urlsplit

from linebot.v3.liff import (
    AddLiffAppRequest,
    ApiClient as LiffClient,
    ApiException as LiffException,
    Configuration as LiffConfiguration,
    Liff,
    LiffFeatures,
    LiffView,
    UpdateLiffAppRequest,
    UpdateLiffView,
)
from linebot.v3.messaging import (
    CouponCreateRequest,
    CouponDiscountRewardRequest,
    CouponMessage,
    DiscountFixedPriceInfoRequest,
    NormalAcquisitionConditionRequest,
    PushMessageRequest,
)
from linebot.v3.module import (
    AcquireChatControlRequest,
    ApiClient as ModuleClient,
    Configuration as ModuleConfiguration,
    DetachModuleRequest,
    LineModule,
)
from linebot.v3.moduleattach import ApiClient as AttachClient, Configuration as AttachConfiguration, LineModuleAttach
from linebot.v3.shop import (
    ApiClient as ShopClient,
    ApiException as ShopException,
    Configuration as ShopConfiguration,
    MissionStickerRequest,
    Shop,
)

from linebot.v3.webhooks import MembershipEvent

from stage import SANDBOX, control, refusal

BACK = "https://module.example/done"


def walk(stage):
    coupons(stage)
    memberships(stage)
    stickers(stage)
    liff(stage)
    module(stage)


def coupons(stage):
    now = control("GET", "/clock")["now"] // 1_000
    request = CouponCreateRequest(
        title="紅茶半價",
        reward=CouponDiscountRewardRequest(price_info=DiscountFixedPriceInfoRequest(fixed_amount=50)),
        acquisition_condition=NormalAcquisitionConditionRequest(),
        start_timestamp=now - 60,
        end_timestamp=now + 3_600,
        timezone="ASIA_TAIPEI",
        visibility="UNLISTED",
        max_use_count_per_ticket=1,
    )
    made = stage.api.create_coupon(request).coupon_id
    listed = stage.api.list_coupon(status=["RUNNING", "CLOSED"], limit=10)
    assert [item.coupon_id for item in listed.items] == [made]
    detail = stage.api.get_coupon_detail(made)
    assert (detail.status, detail.reward.price_info.fixed_amount) == ("RUNNING", 50), detail
    stage.api.push_message(PushMessageRequest(to=stage.user_id, messages=[CouponMessage(coupon_id=made)]))
    stage.api.close_coupon(made)
    refusal(410, lambda: stage.api.close_coupon(made))
    refusal(404, lambda: stage.api.get_coupon_detail("01K0B456W5Y6SBD3YH74YM6QE6"))


def memberships(stage):
    refusal(404, stage.api.get_membership_list)
    plan = {"title": "Basic", "price": 500, "benefits": ["photos"]}
    made = control("POST", f"/channels/{stage.channel}/memberships", plan)["membershipId"]
    stage.act("memberships", {"membershipId": made, "type": "joined"})
    assert stage.event(MembershipEvent).membership.membership_id == made
    assert stage.api.get_membership_list().memberships[0].member_count == 1
    [subscription] = stage.api.get_membership_subscription(stage.user_id).subscriptions
    assert subscription.membership.title == "Basic"
    assert stage.api.get_joined_membership_users(made, limit=10).user_ids == [stage.user_id]


def stickers(stage):
    with ShopClient(ShopConfiguration(host=SANDBOX, access_token=stage.token)) as client:
        request = MissionStickerRequest(
            to=stage.user_id, product_id="1234", product_type="STICKER", send_present_message=False
        )
        refusal(403, lambda: Shop(client).mission_sticker_v3(request), ShopException)
        stage.set(missionStickers=["1234"])
        Shop(client).mission_sticker_v3(request)


def channel_token(channel):
    """A stateless token of a channel."""
    host, form = urlsplit(SANDBOX).netloc, {"grant_type": "client_credentials"}
    form |= {"client_id": channel["channelId"], "client_secret": channel["channelSecret"]}
    connection = http.client.HTTPConnection(host, timeout=10)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/oauth2/v3/token", urlencode(form), headers)
    return json.load(connection.getresponse())["access_token"]


def liff(stage):
    token = channel_token(stage.make_channel("login", "Members"))
    with LiffClient(LiffConfiguration(host=SANDBOX, access_token=token)) as client:
        api = Liff(client)
        refusal(404, api.get_all_liff_apps, LiffException)
        view = LiffView(type="full", url="https://shop.example/member", module_mode=False)
        app = AddLiffAppRequest(
            view=view, description="Card", features=LiffFeatures(qr_code=True), permanent_link_pattern="concat",
            scope=["profile", "openid"], bot_prompt="aggressive",
        )
        made = api.add_liff_app(app).liff_id
        [shown] = api.get_all_liff_apps().apps
        assert (shown.liff_id, shown.view.type, shown.bot_prompt) == (made, "full", "aggressive"), shown
        api.update_liff_app(made, UpdateLiffAppRequest(view=UpdateLiffView(type="tall")))
        assert api.get_all_liff_apps().apps[0].view.type == "tall"
        api.delete_liff_app(made)
        refusal(404, lambda: api.delete_liff_app(made), LiffException)


def module(stage):
    channel = stage.make_channel("module", "Helper")
    control("PATCH", f"/channels/{channel['channelId']}", {"callbackUrls": [BACK]})
    query = {
        "response_type": "code", "client_id": channel["channelId"], "redirect_uri": BACK,
        "scope": "message:send message:receive", "state": "s1", "sandbox_approve": "1",
        "basic_search_id": control("GET", f"/channels/{stage.channel}")["basicId"],
    }
    connection = http.client.HTTPConnection(urlsplit(SANDBOX).netloc, timeout=10)
    connection.request("GET", f"/module/auth/v1/authorize?{urlencode(query)}")
    answer = connection.getresponse()
    assert answer.status == 302, (answer.status, answer.read())
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    pair = f"{channel['channelId']}:{channel['channelSecret']}"
    basic = base64.b64encode(pair.encode()).decode()
    with AttachClient(AttachConfiguration(host=SANDBOX, access_token=basic)) as client:
        attached = LineModuleAttach(client).attach_module("authorization_code", code, BACK)
        assert attached.bot_id == stage.bot and "message:send" in attached.scopes, attached
    configuration = ModuleConfiguration(host=SANDBOX, access_token=channel_token(channel))
    with ModuleClient(configuration, "X-Line-Bot-Id", stage.bot) as client:
        api = LineModule(client)
        [bot] = api.get_modules(limit=10).bots
        assert bot.user_id == stage.bot
        api.acquire_chat_control(stage.user_id, AcquireChatControlRequest(expired=True, ttl=3_600))
        api.release_chat_control(stage.user_id)
        api.detach_module(DetachModuleRequest(bot_id=stage.bot))
        assert api.get_modules().bots == []
