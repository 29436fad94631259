"""What was sent: counts, units, insight; and audiences."""

import tempfile

from linebot.v3.audience import (
    AddAudienceToAudienceGroupRequest,
    ApiClient as AudienceClient,
    ApiException as AudienceException,
    Audience,
    Configuration as AudienceConfiguration,
    CreateAudienceGroupRequest,
    CreateClickBasedAudienceGroupRequest,
    CreateImpBasedAudienceGroupRequest,
    ManageAudience,
    ManageAudienceBlob,
    UpdateAudienceGroupDescriptionRequest,
)
from linebot.v3.insight import ApiClient as InsightClient, Configuration as InsightConfiguration, Insight
from linebot.v3.messaging import BroadcastRequest, PushMessageRequest, TextMessage

from linebot.v3.webhooks import FollowEvent

from stage import DAY_MS, SANDBOX, advance, date, refusal


def walk(stage):
    unit = PushMessageRequest(to=stage.user_id, messages=[TextMessage(text="x")], custom_aggregation_units=["spring"])
    stage.api.push_message(unit)
    assert stage.api.get_aggregation_unit_usage().num_of_custom_aggregation_units == 1
    assert stage.api.get_aggregation_unit_name_list(limit="10").custom_aggregation_units == ["spring"]
    for number in range(50):
        user, _ = stage.make_person({"displayName": f"Friend {number}"})
        stage.act("follow", user=user)
        stage.event(FollowEvent)
    look = BroadcastRequest(messages=[TextMessage(text="look https://shop.example/tea")])
    request_id = stage.api.broadcast_with_http_info(look).headers["x-line-request-id"]
    day = date()
    audiences(stage, request_id)
    advance(DAY_MS)
    counts(stage, day)
    insight(stage, day, request_id)


def counts(stage, day):
    for way in ("reply", "push", "multicast", "broadcast"):
        counted = getattr(stage.api, f"get_number_of_sent_{way}_messages")(day)
        assert counted.status == "ready" and counted.success >= 1, (way, counted)
    assert stage.api.get_pnp_message_statistics(day).success == 1
    assert stage.api.get_pnp_templated_message_statistics(day).success == 1
    refusal(400, lambda: stage.api.get_number_of_sent_push_messages("yesterday"))


def insight(stage, day, request_id):
    with InsightClient(InsightConfiguration(host=SANDBOX, access_token=stage.token)) as client:
        api = Insight(client)
        followers = api.get_number_of_followers(day)
        assert (followers.status, followers.followers) == ("ready", 51)
        delivered = api.get_number_of_message_deliveries(day)
        assert delivered.api_broadcast == 52, delivered
        assert api.get_friends_demographics().available is not None
        event = api.get_message_event(request_id)
        assert event.overview.delivered == 51 and event.messages[0].seq == 1
        unit = api.get_statistics_per_unit("spring", day, day)
        assert unit.messages[0].seq == 1


def audiences(stage, request_id):
    with AudienceClient(AudienceConfiguration(host=SANDBOX, access_token=stage.token)) as client:
        api, blobs = ManageAudience(client), ManageAudienceBlob(client)
        one = [Audience(id=stage.user_id)]
        made = api.create_audience_group(CreateAudienceGroupRequest(description="Tea", audiences=one))
        group = made.audience_group_id
        assert (made.type, made.create_route, made.permission) == ("UPLOAD", "MESSAGING_API", "READ_WRITE")
        api.add_audience_to_audience_group(AddAudienceToAudienceGroupRequest(audience_group_id=group, audiences=one))
        # The SDK takes the path of a file.
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(f"{stage.user_id}\n")
            file.flush()
            path = file.name
            filed = blobs.create_audience_for_uploading_user_ids(file=path, description="By file", is_ifa_audience=False)
            assert filed.description == "By file"
            blobs.add_user_ids_to_audience(file=path, audience_group_id=filed.audience_group_id, upload_description="more")
        click = CreateClickBasedAudienceGroupRequest(description="Clicked", request_id=request_id)
        assert api.create_click_based_audience_group(click).request_id == request_id
        seen = CreateImpBasedAudienceGroupRequest(description="Seen", request_id=request_id)
        assert api.create_imp_based_audience_group(seen).type == "IMP"
        advance(60_000)
        data = api.get_audience_data(group)
        assert (data.audience_group.status, data.audience_group.audience_count) == ("READY", 1), data
        assert data.jobs and data.jobs[0].job_status == "FINISHED"
        listed = api.get_audience_groups(page=1, size=40, status="READY", create_route="MESSAGING_API")
        assert listed.total_count >= 2
        refusal(400, lambda: api.get_audience_data(1), AudienceException)
        shared = api.get_shared_audience_groups(page=1)
        assert shared.total_count == 0
        assert api.get_shared_audience_data(group).owner.name == "パイソン茶屋"
        api.update_audience_group_description(group, UpdateAudienceGroupDescriptionRequest(description="Coffee"))
        assert api.get_audience_data(group).audience_group.description == "Coffee"
        api.delete_audience_group(group)
        refusal(400, lambda: api.get_audience_data(group), AudienceException)
