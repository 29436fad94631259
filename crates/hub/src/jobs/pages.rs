//! The page of jobs: what waits, runs, is done and is dead, and a person's "try again". For owners.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::repo::{self, Counts, Cursor, Listed, State as JobState};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult};
use crate::ids::{Id as _, JobId};
use crate::team::{Viewer, service};
use crate::web::{Page, SettingsEntry, Ui, redirect_with_toast};

/// Where the page is.
const PATH: &str = "/settings/jobs";

/// Jobs on one page.
const PAGE: i64 = 50;

/// The jobs' page of the settings.
pub const SETTINGS: [SettingsEntry; 1] =
    [SettingsEntry { href: PATH, icon: "list-checks", label_key: "jobs-title", owners_only: true }];

/// The words of each kind.
const KINDS: &[(&str, &str)] = &[
    ("accounts.doctor", "jobs-kind-accounts-doctor"),
    ("accounts.end", "jobs-kind-accounts-end"),
    ("relay.forget", "jobs-kind-relay-forget"),
    ("alerts.forget", "jobs-kind-alerts-forget"),
    ("alerts.send", "jobs-kind-alerts-send"),
    ("alerts.settle", "jobs-kind-alerts-settle"),
    ("contacts.profile", "jobs-kind-contacts-profile"),
    ("inbox.blank", "jobs-kind-inbox-blank"),
    ("inbox.delete_blob", "jobs-kind-inbox-delete-blob"),
    ("inbox.sweep", "jobs-kind-inbox-sweep"),
    ("inbox.group", "jobs-kind-inbox-group"),
    ("inbox.media", "jobs-kind-inbox-media"),
    ("jobs.cleanup", "jobs-kind-jobs-cleanup"),
    ("journal.prune", "jobs-kind-journal-prune"),
    ("outbox.forget", "jobs-kind-outbox-forget"),
    ("outbox.quotas", "jobs-kind-outbox-quotas"),
    ("outbox.tokens", "jobs-kind-outbox-tokens"),
];

pub(super) fn routes() -> Router<Hub> {
    Router::new().route(PATH, get(list_jobs)).route("/settings/jobs/{id}/retry", post(retry_job))
}

/// Which list, and after which job.
#[derive(Debug, Default, Deserialize)]
struct Choice {
    state: Option<String>,
    created_at: Option<i64>,
    id: Option<String>,
}

/// One of the lists.
#[derive(Debug)]
struct Tab {
    state: &'static str,
    label_key: &'static str,
    count: String,
    is_here: bool,
}

#[derive(Debug, Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    ui: Ui,
    tabs: Vec<Tab>,
    state: JobState,
    jobs: Vec<Listed>,
    next: Option<Cursor>,
    hub: Counts,
}

impl JobsPage {
    /// A kind in words; one of another version is shown by its name.
    fn kind(&self, job: &Listed) -> String {
        let known = KINDS.iter().find(|(kind, _)| *kind == job.kind);
        known.map_or_else(|| job.kind.clone(), |(_, key)| self.ui.t(key))
    }

    fn attempts(&self, job: &Listed) -> String {
        self.ui.t2("jobs-attempts", ("attempts", job.attempts), ("most", job.max_attempts))
    }

    fn of_the_hub(&self) -> String {
        self.ui.t2("jobs-of-the-hub", ("waiting", self.hub.ready), ("dead", self.hub.dead))
    }

    /// When it runs next, or ended last.
    fn at<'a>(&self, job: &'a Listed) -> &'a Timestamp {
        match &job.finished_at {
            Some(at) if self.state != JobState::Ready => at,
            _ => &job.run_at,
        }
    }

    fn at_key(&self) -> &'static str {
        if self.state == JobState::Ready { "jobs-next" } else { "jobs-last" }
    }

    /// A person can hurry what waits and revive what is dead.
    fn can_retry(&self) -> bool {
        matches!(self.state, JobState::Ready | JobState::Dead)
    }

    fn empty_key(&self) -> &'static str {
        match self.state {
            JobState::Ready => "jobs-empty-ready",
            JobState::Running => "jobs-empty-running",
            JobState::Done => "jobs-empty-done",
            JobState::Dead => "jobs-empty-dead",
        }
    }

    fn empty_detail_key(&self) -> &'static str {
        match self.state {
            JobState::Ready | JobState::Running => "jobs-empty-soon",
            JobState::Done => "jobs-empty-kept",
            JobState::Dead => "jobs-empty-stays",
        }
    }
}

async fn list_jobs(
    State(hub): State<Hub>,
    viewer: Viewer,
    ui: Ui,
    Query(choice): Query<Choice>,
) -> AppResult<Page<JobsPage>> {
    viewer.require_owner()?;
    let scope = viewer.scope();
    let counts = repo::counts(&hub.db, Some(&scope)).await?;
    let chosen = choice.state.as_deref().and_then(JobState::parse);
    // What needs a person comes first.
    let state = chosen.unwrap_or(if counts.dead > 0 { JobState::Dead } else { JobState::Ready });
    let after = choice.created_at.zip(choice.id.as_deref().and_then(JobId::parse));
    let after = after.map(|(created_at, id)| Cursor { created_at: Timestamp(created_at), id });
    let mut jobs = repo::list(&hub.db, &scope, state, after.as_ref(), PAGE + 1).await?;
    let is_more = jobs.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    jobs.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let last = jobs.last().filter(|_| is_more);
    let next = last.map(|job| Cursor { created_at: job.created_at, id: job.id.clone() });
    let tabs = tabs(&ui, counts, state);
    let hub = repo::counts(&hub.db, None).await?;
    Ok(Page(JobsPage { ui, tabs, state, jobs, next, hub }))
}

fn tabs(ui: &Ui, counts: Counts, here: JobState) -> Vec<Tab> {
    [
        (JobState::Ready, "jobs-ready", counts.ready),
        (JobState::Running, "jobs-running", counts.running),
        (JobState::Dead, "jobs-dead", counts.dead),
        (JobState::Done, "jobs-done", counts.done),
    ]
    .into_iter()
    .map(|(state, label_key, count)| {
        let count = ui.number(count);
        Tab { state: state.as_str(), label_key, count, is_here: state == here }
    })
    .collect()
}

async fn retry_job(State(hub): State<Hub>, viewer: Viewer, Path(id): Path<String>) -> AppResult<Response> {
    viewer.require_owner()?;
    let (scope, id) = (viewer.scope(), JobId::parse(&id).ok_or_else(|| AppError::not_found("job"))?);
    let mut tx = hub.db.begin().await?;
    if !repo::retry(&mut tx, &scope, &id, hub.now()).await? {
        return Err(AppError::not_found("job"));
    }
    service::audit(&mut tx, &hub, scope.tenant(), &viewer.actor(), ("job.retried", id.as_str()), &json!({}))
        .await?;
    tx.commit().await?;
    hub.jobs.wake();
    Ok(redirect_with_toast(&hub.config, PATH, "jobs-toast-retried"))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::header::{CONTENT_TYPE, COOKIE};
    use axum::http::{Request, StatusCode};
    use axum::middleware::from_fn_with_state;
    use tower::ServiceExt as _;

    use super::*;
    use crate::app::testing::TestHub;
    use crate::db::testing::Engine;
    use crate::ids::TenantId;
    use crate::jobs::{Job, NewJob, Outcome, Registry, enqueue, run_pending};
    use crate::team::{Actor, NewUser, Role, attach_session};
    use crate::web::{Shell, cookies, inside};

    #[derive(Debug, serde::Serialize, Deserialize)]
    struct Profile {}

    impl Job for Profile {
        const KIND: &'static str = "contacts.profile";
    }

    /// A person in a browser.
    struct Browser {
        hub: Hub,
        cookie: String,
    }

    impl Browser {
        async fn of(hub: &Hub, tenant: &TenantId, email: &str, role: Role) -> Self {
            let user = NewUser { email, name: "", role, password: "a long password" };
            let user = service::create_user(hub, tenant, &user, &Actor::System("test")).await.unwrap();
            let token = service::open_session(hub, tenant, &user).await.unwrap();
            let cookie = cookies::set_session(&hub.config, &token).to_str().unwrap().to_owned();
            Self { hub: hub.clone(), cookie: cookie.split(';').next().unwrap().to_owned() }
        }

        async fn send(&self, method: &str, path: &str, form: String) -> (StatusCode, String) {
            let sessions = from_fn_with_state(self.hub.clone(), attach_session);
            let routes =
                inside(routes(), &self.hub, Shell::default()).layer(sessions).with_state(self.hub.clone());
            let request = Request::builder().method(method).uri(path).header(COOKIE, &self.cookie);
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let response = routes.oneshot(request.body(Body::from(form)).unwrap()).await.unwrap();
            let status = response.status();
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        }

        async fn get(&self, path: &str) -> (StatusCode, String) {
            self.send("GET", path, String::new()).await
        }
    }

    #[test]
    fn every_kind_of_the_binary_has_words() {
        let registry = crate::wiring::jobs();
        let kinds = registry.lanes().into_iter().map(|lane| registry.kinds(lane));
        for kind in kinds.flat_map(|kinds| serde_json::from_str::<Vec<String>>(&kinds).unwrap()) {
            assert!(KINDS.iter().any(|(known, _)| *known == kind), "{kind}");
        }
    }

    #[tokio::test]
    async fn an_owner_sees_a_dead_job_and_tries_it_again() {
        let Some(test) = TestHub::new(Engine::Sqlite).await else { return };
        let hub = &test.hub;
        let actor = Actor::System("test");
        let tea = service::create_tenant(hub, "Tea", Some("Asia/Taipei"), &actor).await.unwrap().id;
        let other = service::create_tenant(hub, "Other", Some("Asia/Taipei"), &actor).await.unwrap().id;
        let owner = Browser::of(hub, &tea, "owner@example.com", Role::Owner).await;
        let (status, page) = owner.get(PATH).await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains("Nothing waits"), "{page}");
        let mut tx = hub.db.begin().await.unwrap();
        let id = enqueue(&mut tx, hub, Some(&tea), &Profile {}, NewJob::default()).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let fail = Registry::new()
            .add(|_: Hub, _: Profile| std::future::ready(Outcome::fail("<b>LINE said no</b>")));
        run_pending(hub, &fail).await.unwrap();
        let (_, page) = owner.get(PATH).await;
        assert!(page.contains("Fetch a friend") && page.contains("LINE said no"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let path = format!("{PATH}/{id}/retry");
        // Neither another tenant's owner nor an agent.
        let stranger = Browser::of(hub, &other, "other@example.com", Role::Owner).await;
        assert!(!stranger.get(PATH).await.1.contains("Fetch a friend"));
        let agent = Browser::of(hub, &tea, "agent@example.com", Role::Agent).await;
        assert_eq!(agent.get(PATH).await.0, StatusCode::FORBIDDEN);
        // A form from elsewhere.
        assert_eq!(owner.send("POST", &path, String::new()).await.0, StatusCode::FORBIDDEN);
        assert_eq!(owner.send("POST", &path, format!("csrf={csrf}")).await.0, StatusCode::SEE_OTHER);
        let (_, page) = owner.get(&format!("{PATH}?state=ready")).await;
        assert!(page.contains("Fetch a friend"), "{page}");
        test.close().await;
    }
}
