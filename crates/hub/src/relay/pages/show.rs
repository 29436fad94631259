//! One destination: how it fares, what to do, its last day, its log, and the acts on it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::chart::Chart;
use super::words::{Condition, Why, percent, seconds, why};
use super::{Seen, address, find, list_address, notice};
use crate::accounts::Status;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::ids::DestinationId;
use crate::relay::deliver::Made;
use crate::relay::model::Answer;
use crate::relay::told::{self, Outcome, Told};
use crate::relay::wishes::{Wishes, is_same};
use crate::relay::{Attempt, Destination, Halt, NewSecrets, Signing, replay, service};
use crate::secrets::Secret;
use crate::team::Viewer;
use crate::web::{Fields, Page, Ui, redirect_with_secret, redirect_with_toast, show_once, shown_secret};

/// A destination's own secret, on its way to the page.
const OWN: &str = "own";
/// That of the second signature.
const STANDARD: &str = "standard";

/// Attempts of one page of the log.
const SHOWN: i64 = 25;

/// What the page of a destination shows, whole or in parts.
struct View {
    seen: Seen,
    is_owner: bool,
    chart: Chart,
    log: Log,
    /// Whether it was called since the test that the page shows: that one tells no longer how it fares.
    is_test_over: bool,
}

/// One page of the log.
struct Log {
    attempts: Vec<Logged>,
    /// Which outcomes it shows.
    outcome: Outcome,
    /// The person or delivery that was searched for.
    words: String,
    /// Whether it begins below the newest.
    is_older: bool,
    /// The address of the next page.
    next: Option<String>,
    /// The address of this page.
    here: String,
}

impl Log {
    /// Whether it shows less than all.
    fn is_chosen(&self) -> bool {
        self.outcome != Outcome::Any || !self.words.is_empty()
    }

    /// What may be chosen of: the word, its key, whether it is.
    fn outcomes(&self) -> Vec<(&'static str, String, bool)> {
        let choice = |one: &Outcome| {
            let name = if *one == Outcome::Any { "all" } else { one.as_str() };
            (one.as_str(), format!("relay-log-{name}"), *one == self.outcome)
        };
        Outcome::ALL.iter().map(choice).collect()
    }
}

/// An attempt with what its request held first, as far as that is known.
struct Logged {
    attempt: Attempt,
    told: Option<Told>,
    /// Whether a person wanted it sent again.
    is_again: bool,
}

#[derive(Template)]
#[template(path = "relay_show.html")]
struct ShowPage {
    ui: Ui,
    view: View,
    /// New secrets, shown this once: its own, and that of the second signature.
    secret: Option<Secret>,
    standard: Option<Secret>,
    tried: Option<Tried>,
    /// The key of what went wrong with an act.
    notice: Option<&'static str>,
    /// What is said of another system with the same address.
    twin: Option<String>,
}

#[derive(Template)]
#[template(path = "relay_live.html")]
struct LivePartial {
    ui: Ui,
    view: View,
}

#[derive(Template)]
#[template(path = "relay_log.html")]
struct LogPartial {
    ui: Ui,
    view: View,
}

#[derive(Template)]
#[template(path = "relay_tried.html")]
struct TriedPartial {
    ui: Ui,
    tried: Option<Tried>,
}

/// What came of a test call.
struct Tried {
    status: Option<u16>,
    ms: i64,
    why: Option<Why>,
    said: String,
    at: Timestamp,
}

impl Tried {
    fn new(ui: &Ui, made: Made, at: Timestamp) -> Self {
        let (status, error) = match made.answer {
            Answer::Status { is_us: true, status, .. } => {
                (Some(status), Some("the address leads back to this hub".to_owned()))
            }
            Answer::Status { status, .. } if (200..300).contains(&status) => (Some(status), None),
            ref other @ Answer::Status { status, .. } => (Some(status), Some(other.words())),
            Answer::None(why) => (None, Some(why)),
        };
        Self { status, ms: made.ms, why: error.map(|error| why(ui, &error)), said: made.said, at }
    }
}

/// Which part of the log.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    outcome: String,
    /// A person's name, or a delivery's id.
    #[serde(default)]
    q: String,
    /// The time in ms and the id below which it begins.
    #[serde(default)]
    before: String,
    /// What went wrong with an act.
    #[serde(default)]
    notice: String,
    /// When the test was made that the page shows, in ms.
    #[serde(default)]
    tested: String,
    /// The part that a live page asks for.
    #[serde(default)]
    part: String,
}

impl View {
    async fn load(hub: &Hub, viewer: &Viewer, seen: Seen, asked: &Asked) -> AppResult<Self> {
        let outcome = Outcome::parse(&asked.outcome).unwrap_or(Outcome::Any);
        let below = asked
            .before
            .split_once('.')
            .and_then(|(at, id)| Some((Timestamp(at.parse().ok()?), id.to_owned())));
        let is_older = below.is_some();
        let (scope, of) = (viewer.scope(), &seen.destination);
        let mut attempts = told::search(hub, &scope, &of.id, (outcome, &asked.q), below, SHOWN + 1).await?;
        let more = attempts.len() > usize::try_from(SHOWN).unwrap_or(0);
        attempts.truncate(usize::try_from(SHOWN).unwrap_or(0));
        told::drop_past(hub, of, &mut attempts).await?;
        let address = |before: &str| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query
                .append_pair("outcome", outcome.as_str())
                .append_pair("q", &asked.q)
                .append_pair("before", before);
            format!("{}?{}", seen.address(), query.finish())
        };
        let next = attempts
            .last()
            .filter(|_| more)
            .map(|last| format!("{}#log", address(&format!("{}.{}", last.at.millis(), last.id))));
        let here = address(&asked.before);
        let held = told::of_attempts(hub, &scope, of, &attempts).await?;
        let anew = told::begun_anew(hub, of).await?;
        let logged = |attempt: Attempt| {
            let is_anew = anew.get(&attempt.delivery).is_some_and(|first| attempt.at > *first);
            let is_again = attempt.is_replay() || attempt.attempt == 1 && is_anew;
            // Tries of one request tell the same.
            let told = held.get(&attempt.first_position).cloned();
            Logged { attempt, told, is_again }
        };
        let attempts = attempts.into_iter().map(logged).collect();
        let log = Log { attempts, outcome, words: asked.q.trim().to_owned(), is_older, next, here };
        let chart = Chart::new(&seen.day.steps, hub.now());
        let tested = asked.tested.parse::<i64>().ok();
        let is_test_over = tested.zip(of.last.as_ref()).is_some_and(|(at, last)| last.at.millis() > at);
        Ok(Self { is_owner: viewer.is_owner(), chart, log, seen, is_test_over })
    }

    fn is_connected(&self) -> bool {
        self.seen.account.status != Status::Disconnected
    }

    fn is_own(&self) -> bool {
        self.seen.destination.signing == Signing::Own
    }

    /// The last answer, in words.
    fn last(&self, ui: &Ui) -> Option<Why> {
        self.seen.destination.last.as_ref()?.error.as_deref().map(|error| why(ui, error))
    }

    /// What the picture shows, for those who do not see it.
    fn chart_words(&self, ui: &Ui) -> String {
        let day = &self.seen.day;
        ui.t2("relay-day-words", ("delivered", day.delivered), ("failed", day.failed))
    }

    /// The filter in words; empty when everything passes.
    fn filter(&self, ui: &Ui) -> Vec<String> {
        let filter = &self.seen.destination.filter;
        let names = |words: &Option<Vec<String>>, name: &dyn Fn(&str) -> String| {
            let words = words.as_ref()?;
            Some(words.iter().map(|word| name(word)).collect::<Vec<_>>().join(&ui.t("relay-list-comma")))
        };
        let source =
            |word: &str| super::words::source_key(word).map_or_else(|| word.to_owned(), |key| ui.t(key));
        let parts = [
            names(&filter.events, &|word| super::words::kind(ui, word)),
            names(&filter.sources, &source),
            names(&filter.tags, &str::to_owned).map(|tags| ui.t1("relay-filter-tagged", "tags", tags)),
            filter.share.map(|share| ui.t1("relay-filter-shared", "share", u32::from(share))),
        ];
        parts.into_iter().flatten().collect()
    }

    /// How long a call may take, in seconds.
    fn timeout(&self) -> String {
        seconds(self.seen.destination.timeout_ms)
    }

    /// An attempt's error in words.
    fn why(ui: &Ui, attempt: &Attempt) -> Option<Why> {
        attempt.error.as_deref().map(|error| why(ui, error))
    }

    /// The share of the day that was delivered.
    fn delivered_share(&self) -> Option<String> {
        self.seen.day.failed_per_mille().map(|failed| percent(1000 - failed))
    }
}

/// The page, or the part of it that is asked for.
pub(super) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> AppResult<Response> {
    let seen = Seen::load(&hub, &viewer, &names).await?;
    let view = View::load(&hub, &viewer, seen, &asked).await?;
    match (ui.is_htmx(), asked.part.as_str()) {
        (true, "log") => return Ok(Page(LogPartial { ui, view }).into_response()),
        (true, _) => return Ok(Page(LivePartial { ui, view }).into_response()),
        _ => {}
    }
    let waits = |which| {
        let identity = identity(&viewer, &view.seen.destination.id, which);
        shown_secret(&hub, &headers, &identity).filter(|_| viewer.is_owner())
    };
    let (secret, standard) = (waits(OWN), waits(STANDARD));
    let is_secret = secret.is_some() || standard.is_some();
    let twin = twin(&hub, &viewer, &ui, &view.seen.destination).await?;
    let page = Page(ShowPage { secret, standard, notice: notice(&asked.notice), twin, ..whole(ui, view).0 });
    Ok(if is_secret { show_once(&hub.config, page) } else { page.into_response() })
}

fn whole(ui: Ui, view: View) -> Page<ShowPage> {
    Page(ShowPage { ui, view, secret: None, standard: None, tried: None, notice: None, twin: None })
}

/// What is said of another system of the account with the same address: what both let pass comes there twice.
async fn twin(hub: &Hub, viewer: &Viewer, ui: &Ui, of: &Destination) -> AppResult<Option<String>> {
    let all = service::list(hub, &viewer.scope(), &of.account).await?;
    let is_twin = |one: &&Destination| one.id != of.id && one.active && is_same(&one.url, &of.url);
    let found = all.iter().filter(is_twin).max_by_key(|one| one.filter == of.filter);
    Ok(found.filter(|_| of.active).map(|found| {
        let key = if found.filter == of.filter { "relay-twin" } else { "relay-twin-filtered" };
        ui.t1(key, "name", found.name.as_str())
    }))
}

/// Leads to the page: with a secret that was just made, which it shows this once, or with words.
pub(super) fn lead(
    hub: &Hub,
    viewer: &Viewer,
    to: &Destination,
    made: &NewSecrets,
    toast: &'static str,
) -> Response {
    let shown = made.own.as_ref().map(|secret| (OWN, secret));
    match shown.or_else(|| made.standard.as_ref().map(|secret| (STANDARD, secret))) {
        Some((which, secret)) => {
            redirect_with_secret(hub, &address(to), &identity(viewer, &to.id, which), secret)
        }
        None => redirect_with_toast(&hub.config, &address(to), toast),
    }
}

/// Which secret waits for which reader.
fn identity(viewer: &Viewer, id: &DestinationId, which: &str) -> String {
    format!("destinations/{id}/{which}/{}", viewer.id)
}

/// Pauses or resumes it.
pub(super) async fn set_active(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    let active = !fields.text("on").is_empty();
    let wishes = Wishes { active: Some(active), ..Wishes::default() };
    service::change(&hub, (&viewer.scope(), &viewer.actor()), &destination.id, wishes).await?;
    let toast = match (active, destination.halt) {
        (true, Some(Halt::Journal)) => "relay-toast-begun",
        (true, _) => "relay-toast-resumed",
        (false, _) => "relay-toast-paused",
    };
    Ok(redirect_with_toast(&hub.config, &address(&destination), toast))
}

/// Makes a test call, and shows what came of it.
pub(super) async fn test(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    let made = Box::pin(service::test(&hub, &viewer.scope(), &destination.id)).await?;
    let tried = Some(Tried::new(&ui, made, hub.now()));
    if ui.is_htmx() {
        return Ok(Page(TriedPartial { ui, tried }).into_response());
    }
    let seen = Seen::load(&hub, &viewer, &names).await?;
    let view = View::load(&hub, &viewer, seen, &Asked::default()).await?;
    Ok(Page(ShowPage { tried, ..whole(ui, view).0 }).into_response())
}

/// Lets what waits for another try go at once.
pub(super) async fn hurry(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    replay::hurry(&hub, (&viewer.scope(), &viewer.actor()), &destination.id).await?;
    Ok(redirect_with_toast(&hub.config, &address(&destination), "relay-toast-trying"))
}

/// Leaves out what waits for another try.
pub(super) async fn skip(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    service::skip(&hub, (&viewer.scope(), &viewer.actor()), &destination.id).await?;
    Ok(redirect_with_toast(&hub.config, &address(&destination), "relay-toast-skipped"))
}

/// Deletes it.
pub(super) async fn delete(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    service::delete(&hub, (&viewer.scope(), &viewer.actor()), &destination.id).await?;
    Ok(redirect_with_toast(&hub.config, &list_address(&destination.account), "relay-toast-deleted"))
}
