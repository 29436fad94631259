//! An account's profile: on a phone with what a person can do, on a computer with its QR code (PLATFORM 25).

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use qrcode::QrCode;
use qrcode::types::Color;

use crate::Inner;
use crate::phone::links::encoded;
use crate::phone::list::{PersonCard, Side, people, person_card};
use crate::phone::pages::{Face, Frame, missing, page};
use crate::world::{Channel, Kind, World};

/// An account as its profile shows it.
#[derive(Debug)]
struct Profile {
    channel: String,
    face: Face,
    basic_id: String,
    friends: usize,
    /// `unverified`, `verified` or `premium`: the colour of the shield.
    account_type: String,
    /// The address that the QR code holds: the sandbox's own `/R/ti/p/…`.
    address: String,
    code: Code,
}

/// A QR code as one SVG path with its quiet zone.
#[derive(Debug)]
struct Code {
    side: usize,
    path: String,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    side: Side,
    me: PersonCard,
    account: Profile,
    following: bool,
    blocked: bool,
}

#[derive(Template)]
#[template(path = "add_friend.html")]
struct AddFriendPage {
    frame: Frame,
    people: Vec<PersonCard>,
    account: Profile,
}

pub(super) async fn on_phone(
    State(inner): State<Arc<Inner>>,
    Path((user, channel)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let world = inner.world();
    let account = world.channels.get(&channel).filter(|channel| channel.kind == Kind::Messaging);
    let Some((me, account)) = world.person(&user).zip(account) else { return missing(&headers, &uri) };
    let bond = world.bond(&channel, me.number);
    let page_ = AccountPage {
        frame: Frame::new(&headers, &uri),
        side: Side::new(&world, format!("/account/{channel}")),
        me: person_card(me),
        account: profile(&inner, account),
        following: bond.following,
        blocked: bond.blocked,
    };
    page(StatusCode::OK, &page_)
}

pub(super) fn on_computer(
    inner: &Inner,
    world: &World,
    account: &Channel,
    headers: &HeaderMap,
    uri: &Uri,
) -> Response {
    let frame = Frame::new(headers, uri);
    page(
        StatusCode::OK,
        &AddFriendPage { frame, people: people(world, "").0, account: profile(inner, account) },
    )
}

fn profile(inner: &Inner, channel: &Channel) -> Profile {
    let base = inner.base_url().map(|url| url.to_string()).unwrap_or_default();
    let address = format!("{base}R/ti/p/{}", encoded(&channel.basic_id));
    Profile {
        channel: channel.id.clone(),
        face: Face::of_channel(channel),
        basic_id: channel.basic_id.clone(),
        friends: channel.bonds.values().filter(|bond| bond.following).count(),
        account_type: channel.settings.account_type.clone(),
        code: code(&address),
        address,
    }
}

/// The QR code of an address; empty if it is too long for one. Readers need four modules of quiet around it.
fn code(address: &str) -> Code {
    let Ok(code) = QrCode::new(address.as_bytes()) else { return Code { side: 1, path: String::new() } };
    let width = code.width().max(1);
    let dark = code.to_colors().into_iter().enumerate().filter(|(_, color)| *color == Color::Dark);
    let path = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width + 4, at / width + 4)).collect();
    Code { side: width + 8, path }
}
