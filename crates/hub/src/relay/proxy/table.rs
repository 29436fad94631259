//! Every operation of LINE's API, and what the proxy does with it: what is not here does not get through.
//!
//! One table is the routing, `docs/PROXY.md`, and what a test compares with LINE's OpenAPI files.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::model::ProxyScope::{self, Bulk, Manage, Push, Read, Reply};
use About::{Anything, Chat, Message, Named, Person};

/// What the proxy does with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Goes to LINE with the account's own token; the answer is LINE's.
    Passed {
        /// What the key must be allowed.
        scope: ProxyScope,
        /// What has to be the destination's to know.
        about: About,
        /// For how many seconds an answer holds.
        kept: u32,
    },
    /// Goes through the outbox; the answer is LINE's.
    Mediated(ProxyScope),
    /// Never gets through.
    Refused,
}

/// What a passed operation asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Nobody in particular.
    Anything,
    /// The person who is the path's first value.
    Person,
    /// The group or room that is the path's first value.
    Chat,
    /// The message that is the path's first value.
    Message,
    /// The person whom the body names at this place.
    Named(&'static str),
}

/// One operation.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// `operationId` of LINE's schema.
    pub id: &'static str,
    /// The method.
    pub method: &'static str,
    /// The path of LINE's schema.
    pub path: &'static str,
    /// Whether LINE serves it from the host of contents.
    pub data_host: bool,
    /// What becomes of it.
    pub way: Way,
    /// Why, or within what bounds.
    pub why: &'static str,
}

impl Operation {
    /// What a key must be allowed; `None` where no key is.
    #[must_use]
    pub const fn scope(&self) -> Option<ProxyScope> {
        match self.way {
            Way::Passed { scope, .. } | Way::Mediated(scope) => Some(scope),
            Way::Refused => None,
        }
    }

    /// Whether it changes what everybody sees, and so belongs into the audit log.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(self.way, Way::Passed { scope: Manage, .. })
    }
}

const fn passed(scope: ProxyScope, about: About, kept: u32) -> Way {
    Way::Passed { scope, about, kept }
}

const fn api(
    id: &'static str,
    method: &'static str,
    path: &'static str,
    way: Way,
    why: &'static str,
) -> Operation {
    Operation { id, method, path, data_host: false, way, why }
}

const fn data(
    id: &'static str,
    method: &'static str,
    path: &'static str,
    way: Way,
    why: &'static str,
) -> Operation {
    Operation { data_host: true, ..api(id, method, path, way, why) }
}

/// All of them, in the order of LINE's files.
#[rustfmt::skip]
pub const OPERATIONS: [Operation; 110] = [
    // messaging-api
    api("getWebhookEndpoint", "GET", "/v2/bot/channel/webhook/endpoint", Way::Refused, "the webhook address is the hub's; a destination has its own in the hub"),
    api("setWebhookEndpoint", "PUT", "/v2/bot/channel/webhook/endpoint", Way::Refused, "the webhook address is the hub's; a destination has its own in the hub"),
    api("testWebhookEndpoint", "POST", "/v2/bot/channel/webhook/test", Way::Refused, "the webhook address is the hub's; a destination has its own in the hub"),
    data("getMessageContent", "GET", "/v2/bot/message/{messageId}/content", passed(Read, Message, 0), "of messages that came in and that the destination's filter passes"),
    data("getMessageContentPreview", "GET", "/v2/bot/message/{messageId}/content/preview", passed(Read, Message, 0), "of messages that came in and that the destination's filter passes"),
    data("getMessageContentTranscodingByMessageId", "GET", "/v2/bot/message/{messageId}/content/transcoding", passed(Read, Message, 0), "of messages that came in and that the destination's filter passes"),
    api("replyMessage", "POST", "/v2/bot/message/reply", Way::Mediated(Reply), "the token must be the destination's to use; the first claim wins"),
    api("pushMessage", "POST", "/v2/bot/message/push", Way::Mediated(Push), "within the key's monthly limit"),
    api("multicast", "POST", "/v2/bot/message/multicast", Way::Mediated(Bulk), "costs one message for each different user; within the key's monthly limit"),
    api("narrowcast", "POST", "/v2/bot/message/narrowcast", Way::Mediated(Bulk), "with a monthly limit: within it by `limit.max`, else by all friends whom LINE counted yesterday"),
    api("getNarrowcastProgress", "GET", "/v2/bot/message/progress/narrowcast", passed(Bulk, Anything, 0), "goes with narrowcast"),
    api("broadcast", "POST", "/v2/bot/message/broadcast", Way::Mediated(Bulk), "with a monthly limit: within it by all friends whom LINE counted yesterday"),
    api("getMessageQuota", "GET", "/v2/bot/message/quota", passed(Read, Anything, 0), "figures of the account"),
    api("getMessageQuotaConsumption", "GET", "/v2/bot/message/quota/consumption", passed(Read, Anything, 0), "figures of the account"),
    api("getNumberOfSentReplyMessages", "GET", "/v2/bot/message/delivery/reply", passed(Read, Anything, 0), "figures of the account"),
    api("getNumberOfSentPushMessages", "GET", "/v2/bot/message/delivery/push", passed(Read, Anything, 0), "figures of the account"),
    api("getNumberOfSentMulticastMessages", "GET", "/v2/bot/message/delivery/multicast", passed(Read, Anything, 0), "figures of the account"),
    api("getNumberOfSentBroadcastMessages", "GET", "/v2/bot/message/delivery/broadcast", passed(Read, Anything, 0), "figures of the account"),
    api("validateReply", "POST", "/v2/bot/message/validate/reply", passed(Read, Anything, 0), "checks and changes nothing"),
    api("validatePush", "POST", "/v2/bot/message/validate/push", passed(Read, Anything, 0), "checks and changes nothing"),
    api("validateMulticast", "POST", "/v2/bot/message/validate/multicast", passed(Read, Anything, 0), "checks and changes nothing"),
    api("validateNarrowcast", "POST", "/v2/bot/message/validate/narrowcast", passed(Read, Anything, 0), "checks and changes nothing"),
    api("validateBroadcast", "POST", "/v2/bot/message/validate/broadcast", passed(Read, Anything, 0), "checks and changes nothing"),
    api("getAggregationUnitUsage", "GET", "/v2/bot/message/aggregation/info", passed(Read, Anything, 0), "figures of the account"),
    api("getAggregationUnitNameList", "GET", "/v2/bot/message/aggregation/list", passed(Read, Anything, 0), "figures of the account"),
    api("getProfile", "GET", "/v2/bot/profile/{userId}", passed(Read, Person, 60), "of people whom the account knows and the destination's filter passes"),
    api("getFollowers", "GET", "/v2/bot/followers/ids", passed(Manage, Anything, 0), "lists people beyond the events of the destination"),
    api("getBotInfo", "GET", "/v2/bot/info", passed(Read, Anything, 300), "name and picture of the account"),
    api("getGroupMemberProfile", "GET", "/v2/bot/group/{groupId}/member/{userId}", passed(Read, Chat, 60), "of chats that the account knows and people, both of which the destination's filter passes"),
    api("getRoomMemberProfile", "GET", "/v2/bot/room/{roomId}/member/{userId}", passed(Read, Chat, 60), "of chats that the account knows and people, both of which the destination's filter passes"),
    api("getGroupMembersIds", "GET", "/v2/bot/group/{groupId}/members/ids", passed(Read, Chat, 0), "of chats that the account knows and the destination's filter passes; not with tags or a share"),
    api("getRoomMembersIds", "GET", "/v2/bot/room/{roomId}/members/ids", passed(Read, Chat, 0), "of chats that the account knows and the destination's filter passes; not with tags or a share"),
    api("leaveGroup", "POST", "/v2/bot/group/{groupId}/leave", passed(Manage, Chat, 0), "ends the chat for everybody; of chats that the destination's filter passes"),
    api("leaveRoom", "POST", "/v2/bot/room/{roomId}/leave", passed(Manage, Chat, 0), "ends the chat for everybody; of chats that the destination's filter passes"),
    api("getGroupSummary", "GET", "/v2/bot/group/{groupId}/summary", passed(Read, Chat, 60), "of chats that the account knows and the destination's filter passes"),
    api("getGroupMemberCount", "GET", "/v2/bot/group/{groupId}/members/count", passed(Read, Chat, 0), "of chats that the account knows and the destination's filter passes"),
    api("getRoomMemberCount", "GET", "/v2/bot/room/{roomId}/members/count", passed(Read, Chat, 0), "of chats that the account knows and the destination's filter passes"),
    api("createRichMenu", "POST", "/v2/bot/richmenu", passed(Manage, Anything, 0), "changes the account's menus"),
    api("validateRichMenuObject", "POST", "/v2/bot/richmenu/validate", passed(Read, Anything, 0), "checks and changes nothing"),
    data("getRichMenuImage", "GET", "/v2/bot/richmenu/{richMenuId}/content", passed(Read, Anything, 0), "the account's menus"),
    data("setRichMenuImage", "POST", "/v2/bot/richmenu/{richMenuId}/content", passed(Manage, Anything, 0), "changes the account's menus"),
    api("getRichMenu", "GET", "/v2/bot/richmenu/{richMenuId}", passed(Read, Anything, 0), "the account's menus"),
    api("deleteRichMenu", "DELETE", "/v2/bot/richmenu/{richMenuId}", passed(Manage, Anything, 0), "changes the account's menus"),
    api("getRichMenuList", "GET", "/v2/bot/richmenu/list", passed(Read, Anything, 0), "the account's menus"),
    api("setDefaultRichMenu", "POST", "/v2/bot/user/all/richmenu/{richMenuId}", passed(Manage, Anything, 0), "changes the account's menus"),
    api("getDefaultRichMenuId", "GET", "/v2/bot/user/all/richmenu", passed(Read, Anything, 0), "the account's menus"),
    api("cancelDefaultRichMenu", "DELETE", "/v2/bot/user/all/richmenu", passed(Manage, Anything, 0), "changes the account's menus"),
    api("createRichMenuAlias", "POST", "/v2/bot/richmenu/alias", passed(Manage, Anything, 0), "changes the account's menus"),
    api("getRichMenuAlias", "GET", "/v2/bot/richmenu/alias/{richMenuAliasId}", passed(Read, Anything, 0), "the account's menus"),
    api("updateRichMenuAlias", "POST", "/v2/bot/richmenu/alias/{richMenuAliasId}", passed(Manage, Anything, 0), "changes the account's menus"),
    api("deleteRichMenuAlias", "DELETE", "/v2/bot/richmenu/alias/{richMenuAliasId}", passed(Manage, Anything, 0), "changes the account's menus"),
    api("getRichMenuAliasList", "GET", "/v2/bot/richmenu/alias/list", passed(Read, Anything, 0), "the account's menus"),
    api("getRichMenuIdOfUser", "GET", "/v2/bot/user/{userId}/richmenu", passed(Read, Person, 0), "of people whom the account knows and the destination's filter passes"),
    api("unlinkRichMenuIdFromUser", "DELETE", "/v2/bot/user/{userId}/richmenu", passed(Manage, Anything, 0), "changes the account's menus"),
    api("linkRichMenuIdToUser", "POST", "/v2/bot/user/{userId}/richmenu/{richMenuId}", passed(Manage, Anything, 0), "changes the account's menus"),
    api("linkRichMenuIdToUsers", "POST", "/v2/bot/richmenu/bulk/link", passed(Manage, Anything, 0), "changes the account's menus"),
    api("unlinkRichMenuIdFromUsers", "POST", "/v2/bot/richmenu/bulk/unlink", passed(Manage, Anything, 0), "changes the account's menus"),
    api("richMenuBatch", "POST", "/v2/bot/richmenu/batch", passed(Manage, Anything, 0), "changes the account's menus"),
    api("validateRichMenuBatchRequest", "POST", "/v2/bot/richmenu/validate/batch", passed(Read, Anything, 0), "checks and changes nothing"),
    api("getRichMenuBatchProgress", "GET", "/v2/bot/richmenu/progress/batch", passed(Manage, Anything, 0), "goes with the change of menus"),
    api("issueLinkToken", "POST", "/v2/bot/user/{userId}/linkToken", Way::Refused, "links a person's account at LINE, which is not the destination's to give"),
    api("markMessagesAsRead", "POST", "/v2/bot/message/markAsRead", passed(Reply, Named("/chat/userId"), 0), "a gesture in the chat, free of charge; of people whom the account knows and the destination's filter passes"),
    api("pushMessagesByPhone", "POST", "/bot/pnp/push", Way::Refused, "messages to phone numbers are paid for outside the quota"),
    api("getPNPMessageStatistics", "GET", "/v2/bot/message/delivery/pnp", passed(Read, Anything, 0), "figures of the account"),
    api("getMembershipSubscription", "GET", "/v2/bot/membership/subscription/{userId}", passed(Read, Person, 0), "of people whom the account knows and the destination's filter passes"),
    api("getMembershipList", "GET", "/v2/bot/membership/list", passed(Read, Anything, 0), "what the account offers"),
    api("getJoinedMembershipUsers", "GET", "/v2/bot/membership/{membershipId}/users/ids", passed(Manage, Anything, 0), "lists people beyond the events of the destination"),
    api("listCoupon", "GET", "/v2/bot/coupon", passed(Read, Anything, 0), "what the account offers"),
    api("createCoupon", "POST", "/v2/bot/coupon", passed(Manage, Anything, 0), "changes the account's coupons"),
    api("getCouponDetail", "GET", "/v2/bot/coupon/{couponId}", passed(Read, Anything, 0), "what the account offers"),
    api("closeCoupon", "PUT", "/v2/bot/coupon/{couponId}/close", passed(Manage, Anything, 0), "changes the account's coupons"),
    api("showLoadingAnimation", "POST", "/v2/bot/chat/loading/start", passed(Reply, Named("/chatId"), 0), "a gesture in the chat, free of charge; of people whom the account knows and the destination's filter passes"),
    api("markMessagesAsReadByToken", "POST", "/v2/bot/chat/markAsRead", passed(Reply, Anything, 0), "a gesture in the chat, free of charge; its token came with the message"),
    // insight
    api("getFriendsDemographics", "GET", "/v2/bot/insight/demographic", passed(Read, Anything, 0), "figures of the account, of nobody in particular"),
    api("getNumberOfMessageDeliveries", "GET", "/v2/bot/insight/message/delivery", passed(Read, Anything, 0), "figures of the account, of nobody in particular"),
    api("getNumberOfFollowers", "GET", "/v2/bot/insight/followers", passed(Read, Anything, 0), "figures of the account, of nobody in particular"),
    api("getMessageEvent", "GET", "/v2/bot/insight/message/event", passed(Read, Anything, 0), "figures of the account, of nobody in particular"),
    api("getStatisticsPerUnit", "GET", "/v2/bot/insight/message/event/aggregation", passed(Read, Anything, 0), "figures of the account, of nobody in particular"),
    api("getRichMenuInsightSummary", "GET", "/v2/bot/insight/richmenu/{richMenuId}/summary", passed(Read, Anything, 0), "figures of the account, of nobody in particular"),
    api("getRichMenuInsightDaily", "GET", "/v2/bot/insight/richmenu/{richMenuId}/daily", passed(Read, Anything, 0), "figures of the account, of nobody in particular"),
    // manage-audience
    api("createAudienceGroup", "POST", "/v2/bot/audienceGroup/upload", passed(Manage, Anything, 0), "changes the account's audiences"),
    api("addAudienceToAudienceGroup", "PUT", "/v2/bot/audienceGroup/upload", passed(Manage, Anything, 0), "changes the account's audiences"),
    data("createAudienceForUploadingUserIds", "POST", "/v2/bot/audienceGroup/upload/byFile", passed(Manage, Anything, 0), "changes the account's audiences"),
    data("addUserIdsToAudience", "PUT", "/v2/bot/audienceGroup/upload/byFile", passed(Manage, Anything, 0), "changes the account's audiences"),
    api("createClickBasedAudienceGroup", "POST", "/v2/bot/audienceGroup/click", passed(Manage, Anything, 0), "changes the account's audiences"),
    api("createImpBasedAudienceGroup", "POST", "/v2/bot/audienceGroup/imp", passed(Manage, Anything, 0), "changes the account's audiences"),
    api("updateAudienceGroupDescription", "PUT", "/v2/bot/audienceGroup/{audienceGroupId}/updateDescription", passed(Manage, Anything, 0), "changes the account's audiences"),
    api("deleteAudienceGroup", "DELETE", "/v2/bot/audienceGroup/{audienceGroupId}", passed(Manage, Anything, 0), "changes the account's audiences"),
    api("getAudienceData", "GET", "/v2/bot/audienceGroup/{audienceGroupId}", passed(Manage, Anything, 0), "the account's audiences"),
    api("getAudienceGroups", "GET", "/v2/bot/audienceGroup/list", passed(Manage, Anything, 0), "the account's audiences"),
    api("getSharedAudienceData", "GET", "/v2/bot/audienceGroup/shared/{audienceGroupId}", passed(Manage, Anything, 0), "the account's audiences"),
    api("getSharedAudienceGroups", "GET", "/v2/bot/audienceGroup/shared/list", passed(Manage, Anything, 0), "the account's audiences"),
    // channel-access-token
    api("issueStatelessChannelToken", "POST", "/oauth2/v3/token", Way::Refused, "the hub keeps the channel's tokens; the proxy key stands in their place"),
    api("getsAllValidChannelAccessTokenKeyIds", "GET", "/oauth2/v2.1/tokens/kid", Way::Refused, "the hub keeps the channel's tokens; the proxy key stands in their place"),
    api("issueChannelTokenByJWT", "POST", "/oauth2/v2.1/token", Way::Refused, "the hub keeps the channel's tokens; the proxy key stands in their place"),
    api("verifyChannelTokenByJWT", "GET", "/oauth2/v2.1/verify", Way::Refused, "the hub keeps the channel's tokens; the proxy key stands in their place"),
    api("revokeChannelTokenByJWT", "POST", "/oauth2/v2.1/revoke", Way::Refused, "the hub keeps the channel's tokens; the proxy key stands in their place"),
    api("issueChannelToken", "POST", "/v2/oauth/accessToken", Way::Refused, "the hub keeps the channel's tokens; the proxy key stands in their place"),
    api("verifyChannelToken", "POST", "/v2/oauth/verify", Way::Refused, "the hub keeps the channel's tokens; the proxy key stands in their place"),
    api("revokeChannelToken", "POST", "/v2/oauth/revoke", Way::Refused, "the hub keeps the channel's tokens; the proxy key stands in their place"),
    // liff
    api("addLIFFApp", "POST", "/liff/v1/apps", Way::Refused, "LIFF apps belong to a Login channel, which the hub looks after"),
    api("getAllLIFFApps", "GET", "/liff/v1/apps", Way::Refused, "LIFF apps belong to a Login channel, which the hub looks after"),
    api("updateLIFFApp", "PUT", "/liff/v1/apps/{liffId}", Way::Refused, "LIFF apps belong to a Login channel, which the hub looks after"),
    api("deleteLIFFApp", "DELETE", "/liff/v1/apps/{liffId}", Way::Refused, "LIFF apps belong to a Login channel, which the hub looks after"),
    // module
    api("detachModule", "POST", "/v2/bot/channel/detach", Way::Refused, "who holds a chat at LINE is not for one system to change"),
    api("acquireChatControl", "POST", "/v2/bot/chat/{chatId}/control/acquire", Way::Refused, "who holds a chat at LINE is not for one system to change"),
    api("releaseChatControl", "POST", "/v2/bot/chat/{chatId}/control/release", Way::Refused, "who holds a chat at LINE is not for one system to change"),
    api("getModules", "GET", "/v2/bot/list", Way::Refused, "who holds a chat at LINE is not for one system to change"),
    // module-attach
    api("attachModule", "POST", "/module/auth/v1/token", Way::Refused, "who holds a chat at LINE is not for one system to change"),
    // shop
    api("missionStickerV3", "POST", "/shop/v3/mission", Way::Refused, "gives people stickers that the company pays for"),
];

/// What stands for the braces of a path, decoded.
pub(super) type Values<'a> = Vec<Cow<'a, str>>;

/// The operation of a request, with the values of its path.
pub(super) fn find<'a>(method: &str, path: &'a str) -> Option<(&'static Operation, Values<'a>)> {
    let mut best: Option<(&'static Operation, Values<'a>)> = None;
    for operation in OPERATIONS.iter().filter(|operation| operation.method == method) {
        if let Some(values) = matches(operation.path, path)
            // A word stands before a value: `/richmenu/list` is no menu of that name.
            && best.as_ref().is_none_or(|(_, before)| values.len() < before.len())
        {
            best = Some((operation, values));
        }
    }
    best
}

fn matches<'a>(template: &str, path: &'a str) -> Option<Values<'a>> {
    let (mut wanted, mut given, mut values) = (template.split('/'), path.split('/'), Vec::new());
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(values),
            (Some(word), Some(segment)) if word.starts_with('{') => {
                let value = percent_decode_str(segment).decode_utf8().ok()?;
                // U+0000 is in nothing that is stored, and PostgreSQL refuses to look for it.
                if value.is_empty() || value.contains('\0') {
                    return None;
                }
                values.push(value);
            }
            (Some(word), Some(segment)) if word == segment => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(method: &str, path: &str) -> Option<&'static str> {
        find(method, path).map(|(operation, _)| operation.id)
    }

    #[test]
    fn a_request_is_one_operation_or_none() {
        assert_eq!(id("GET", "/v2/bot/richmenu/list"), Some("getRichMenuList"));
        assert_eq!(id("GET", "/v2/bot/richmenu/richmenu-1"), Some("getRichMenu"));
        assert_eq!(id("POST", "/v2/bot/message/push"), Some("pushMessage"));
        assert_eq!(id("GET", "/v2/bot/message/push"), None);
        for odd in [
            "/v2/bot/profile/",
            "/v2/bot/profile",
            "/v2/bot/profile/U1/",
            "/v2/bot/profile/U%00",
            "//v2/bot/info",
            "/v2/bot/Info",
        ] {
            assert_eq!(id("GET", odd), None, "{odd}");
        }
        let (_, values) = find("GET", "/v2/bot/group/C%2F1/member/U1").unwrap();
        assert_eq!(values, ["C/1", "U1"]);
    }

    // CONTRACT "Proxy": default deny.
    #[test]
    fn what_would_cut_others_off_is_refused() {
        let words = ["webhook", "oauth", "liff", "module", "control", "detach", "linkToken"];
        for operation in &OPERATIONS {
            let is_theirs = words.iter().any(|word| operation.path.contains(word));
            assert!(!is_theirs || operation.way == Way::Refused, "{}", operation.id);
        }
    }
}
