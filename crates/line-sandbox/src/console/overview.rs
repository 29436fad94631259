//! The first page, and a provider with its channels.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::Inner;
use crate::console::people::PersonRow;
use crate::console::{Frame, Place, Visit, figures, kind_name, missing};
use crate::phone::{Face, page};
use crate::world::{Channel, Kind, World};

/// How many people the overview shows.
const PEOPLE_SHOWN: usize = 8;

#[derive(Template)]
#[template(path = "console_overview.html")]
struct OverviewPage {
    frame: Frame,
    providers: Vec<ProviderCard>,
    people: Vec<PersonRow>,
}

#[derive(Template)]
#[template(path = "console_provider.html")]
struct ProviderPage {
    frame: Frame,
    provider: ProviderCard,
}

/// A provider with its channels.
#[derive(Debug)]
struct ProviderCard {
    id: String,
    name: String,
    channels: Vec<ChannelCard>,
}

/// A channel in a list.
#[derive(Debug)]
struct ChannelCard {
    id: String,
    face: Face,
    kind: &'static str,
    messaging: bool,
    login: bool,
    /// The account's name with `@`, empty on other kinds.
    basic_id: String,
    friends: usize,
    webhook_on: bool,
    published: bool,
    /// Webhooks that failed lately.
    failed: usize,
}

pub(super) async fn overview(State(inner): State<Arc<Inner>>, visit: Visit) -> Response {
    let world = inner.world();
    let providers = world.providers.keys().filter_map(|id| card(&world, id)).collect();
    let people =
        world.people.values().take(PEOPLE_SHOWN).map(|person| PersonRow::new(&world, person)).collect();
    let frame = visit.frame(&inner, &world, Place::Overview);
    page(StatusCode::OK, &OverviewPage { frame, providers, people })
}

pub(super) async fn provider(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    visit: Visit,
) -> Response {
    let world = inner.world();
    let Some(provider) = card(&world, &id) else { return missing(visit) };
    let frame = visit.frame(&inner, &world, Place::Overview);
    page(StatusCode::OK, &ProviderPage { frame, provider })
}

fn card(world: &World, id: &str) -> Option<ProviderCard> {
    let of_provider = world.channels.values().filter(|channel| channel.provider == id);
    let channels = of_provider.map(|channel| channel_card(world, channel)).collect();
    Some(ProviderCard { id: id.to_owned(), name: world.providers.get(id)?.clone(), channels })
}

fn channel_card(world: &World, channel: &Channel) -> ChannelCard {
    let messaging = channel.kind == Kind::Messaging;
    ChannelCard {
        id: channel.id.clone(),
        face: Face::of_channel(channel),
        kind: kind_name(channel.kind),
        messaging,
        login: channel.kind == Kind::Login,
        basic_id: if messaging { channel.basic_id.clone() } else { String::new() },
        friends: channel.bonds.values().filter(|bond| bond.following).count(),
        webhook_on: channel.settings.use_webhook && channel.endpoint.is_some(),
        published: channel.settings.published,
        failed: figures::failed_lately(world, &channel.id),
    }
}
