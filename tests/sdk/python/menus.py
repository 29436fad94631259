"""Rich menus and their figures."""

import struct

from linebot.v3.insight import ApiClient as InsightClient, Configuration as InsightConfiguration, Insight
from linebot.v3.messaging import (
    CreateRichMenuAliasRequest,
    MessageAction,
    RichMenuArea,
    RichMenuBatchLinkOperation,
    RichMenuBatchRequest,
    RichMenuBounds,
    RichMenuBulkLinkRequest,
    RichMenuBulkUnlinkRequest,
    RichMenuRequest,
    RichMenuSize,
    UpdateRichMenuAliasRequest,
)

from stage import SANDBOX, advance, date, message, refusal

# All that anybody looks at: the size.
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + struct.pack(">II", 2500, 843)


def walk(stage):
    first, second = make(stage), make(stage)
    aliases(stage, first)
    links(stage, first)
    batch(stage, first, second)
    with InsightClient(InsightConfiguration(host=SANDBOX, access_token=stage.token)) as client:
        api = Insight(client)
        assert api.get_rich_menu_insight_summary(first, date(-10), date(-1)).rich_menu_id == first
        assert api.get_rich_menu_insight_daily(first, date(-10), date(-1)).rich_menu_id == first
    stage.api.delete_rich_menu(second)
    refusal(404, lambda: stage.api.get_rich_menu(second))


def make(stage):
    bounds = RichMenuBounds(x=0, y=0, width=2500, height=843)
    area = RichMenuArea(bounds=bounds, action=MessageAction(label="hi", text="hi"))
    menu = RichMenuRequest(
        size=RichMenuSize(width=2500, height=843), selected=True, name="main", chat_bar_text="選單", areas=[area]
    )
    stage.api.validate_rich_menu_object(menu)
    made = stage.api.create_rich_menu(menu).rich_menu_id
    error = refusal(400, lambda: stage.api.set_default_rich_menu(made))
    assert message(error) == "must upload richmenu image before applying it to user"
    stage.blobs.set_rich_menu_image(made, body=PNG, _headers={"Content-Type": "image/png"})
    assert bytes(stage.blobs.get_rich_menu_image(made)) == PNG
    assert stage.api.get_rich_menu(made).areas[0].action.text == "hi"
    assert made in [menu.rich_menu_id for menu in stage.api.get_rich_menu_list().richmenus]
    return made


def aliases(stage, menu):
    api = stage.api
    create = CreateRichMenuAliasRequest(rich_menu_alias_id="first", rich_menu_id=menu)
    api.create_rich_menu_alias(create)
    assert message(refusal(400, lambda: api.create_rich_menu_alias(create))) == "conflict richmenu alias id"
    api.update_rich_menu_alias("first", UpdateRichMenuAliasRequest(rich_menu_id=menu))
    assert api.get_rich_menu_alias("first").rich_menu_id == menu
    assert [alias.rich_menu_alias_id for alias in api.get_rich_menu_alias_list().aliases] == ["first"]
    api.delete_rich_menu_alias("first")
    refusal(404, lambda: api.get_rich_menu_alias("first"))


def links(stage, menu):
    api, user_id = stage.api, stage.user_id
    api.set_default_rich_menu(menu)
    assert api.get_default_rich_menu_id().rich_menu_id == menu
    api.cancel_default_rich_menu()
    assert message(refusal(404, api.get_default_rich_menu_id)) == "no default richmenu"
    api.link_rich_menu_id_to_user(user_id, menu)
    assert api.get_rich_menu_id_of_user(user_id).rich_menu_id == menu
    api.unlink_rich_menu_id_from_user(user_id)
    refusal(404, lambda: api.get_rich_menu_id_of_user(user_id))
    api.link_rich_menu_id_to_users(RichMenuBulkLinkRequest(rich_menu_id=menu, user_ids=[user_id]))
    advance(10_000)
    assert api.get_rich_menu_id_of_user(user_id).rich_menu_id == menu
    api.unlink_rich_menu_id_from_users(RichMenuBulkUnlinkRequest(user_ids=[user_id]))
    advance(10_000)
    refusal(404, lambda: api.get_rich_menu_id_of_user(user_id))


def batch(stage, first, second):
    stage.api.link_rich_menu_id_to_user(stage.user_id, first)
    request = RichMenuBatchRequest(operations=[RichMenuBatchLinkOperation(var_from=first, to=second)])
    stage.api.validate_rich_menu_batch_request(request)
    started = stage.api.rich_menu_batch_with_http_info(request)
    assert started.status_code == 202
    advance(60_000)
    progress = stage.api.get_rich_menu_batch_progress(started.headers["x-line-request-id"])
    assert progress.phase == "succeeded"
    assert stage.api.get_rich_menu_id_of_user(stage.user_id).rich_menu_id == second
