//! Fetching profiles: by a job, with backoff, never in the webhook's way.

use std::time::Duration;

use axum::http::StatusCode;
use line_client::{LineError, MemberProfile, Profile};
use serde::{Deserialize, Serialize};

use super::model::Contact;
use super::service;
use crate::app::Hub;
use crate::db::{DbResult, Tx};
use crate::ids::{ContactId, Id};
use crate::jobs::{self, Job, Lane, NewJob, Outcome};
use crate::live::Notice;

/// Asks LINE for a person's profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FetchProfile {
    /// The contact.
    pub contact: String,
    /// Where they were seen, when not in a chat of their own: `group` or `room`, and its id at LINE.
    pub group: Option<(String, String)>,
}

impl Job for FetchProfile {
    const KIND: &'static str = "contacts.profile";
    const LANE: Lane = Lane::PROFILE;
    const MAX_ATTEMPTS: u32 = 8;
    const TIMEOUT: Duration = Duration::from_secs(40);
}

/// Enqueues the job once for a contact.
///
/// # Errors
/// Those of the database.
pub async fn fetch_profile(
    tx: &mut Tx,
    hub: &Hub,
    contact: &Contact,
    group: Option<(&str, &str)>,
) -> DbResult<()> {
    let payload = FetchProfile {
        contact: contact.id.as_str().to_owned(),
        group: group.map(|(kind, id)| (kind.to_owned(), id.to_owned())),
    };
    let new = NewJob::once(contact.id.as_str());
    jobs::enqueue(tx, hub, Some(&contact.tenant_id), &payload, new).await.map(drop)
}

/// The job's handler.
pub async fn run(hub: Hub, job: FetchProfile) -> Outcome {
    let Some(id) = ContactId::parse(&job.contact) else {
        return Outcome::fail("the contact's id is malformed");
    };
    let contact = match service::find_for_job(&hub, &id).await {
        Ok(Some(contact)) if service::wants_profile(&contact, hub.now()) => contact,
        Ok(_) => return Outcome::Done,
        Err(error) => return Outcome::from(Err(error)),
    };
    let line = match crate::accounts::service::line(&hub, &contact.account_id).await {
        Ok(line) => line,
        // Disconnected: the last known profile stays.
        Err(error) if error.status == StatusCode::NOT_FOUND => return Outcome::Done,
        Err(error) => return Outcome::from(error),
    };
    let user = contact.external_id.as_str();
    let profile = match &job.group {
        Some((kind, group)) if kind == "group" => line.group_member_profile(group, user).await.map(of_member),
        Some((_, room)) => line.room_member_profile(room, user).await.map(of_member),
        None => line.profile(user).await,
    };
    let profile = match profile {
        Ok(profile) => profile,
        // A refusal is LINE's last word about this person for today (GOTCHAS D2).
        Err(LineError::Refused { .. }) => None,
        Err(error) => return Outcome::retry(error.to_string()),
    };
    let stored = service::store_profile(&hub, &id, profile.as_ref()).await;
    if stored.is_ok() {
        hub.live.publish(Notice {
            tenant: contact.tenant_id,
            account: Some(contact.account_id),
            kind: "contact",
            id: job.contact,
            conversation: None,
        });
    }
    Outcome::from(stored)
}

/// A member's profile lacks what only a friend's has.
fn of_member(member: Option<MemberProfile>) -> Option<Profile> {
    member.map(|member| Profile {
        display_name: member.display_name,
        user_id: member.user_id,
        language: None,
        picture_url: member.picture_url,
        status_message: None,
    })
}
