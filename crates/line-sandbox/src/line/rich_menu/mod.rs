//! Rich menus (PLATFORM 10): the menus an account made by API or in OA Manager, their aliases, and who sees which.
//!
//! A person sees their own link's menu, else the API's default, else OA Manager's. Bulk calls and batches take effect a
//! moment after they are accepted, by the sandbox's clock.

mod alias;
mod batch;
mod image;
mod insight;
mod link;
mod menu;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Inner;
use crate::clock::day;
use crate::world::World;

use batch::Operation;
pub(crate) use image::Image;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v2/bot/richmenu", post(menu::create))
        .route("/v2/bot/richmenu/validate", post(menu::validate))
        .route("/v2/bot/richmenu/list", get(menu::list))
        .route("/v2/bot/richmenu/{rich_menu_id}", get(menu::show).delete(menu::delete))
        .route("/v2/bot/richmenu/{rich_menu_id}/content", get(image::show).post(image::upload))
        .route("/v2/bot/richmenu/alias", post(alias::create))
        .route("/v2/bot/richmenu/alias/list", get(alias::list))
        .route(
            "/v2/bot/richmenu/alias/{alias_id}",
            get(alias::show).post(alias::update).delete(alias::delete),
        )
        .route("/v2/bot/richmenu/bulk/link", post(link::bulk_link))
        .route("/v2/bot/richmenu/bulk/unlink", post(link::bulk_unlink))
        .route("/v2/bot/richmenu/batch", post(batch::start))
        .route("/v2/bot/richmenu/validate/batch", post(batch::validate))
        .route("/v2/bot/richmenu/progress/batch", get(batch::progress))
        .route("/v2/bot/user/all/richmenu", get(link::show_default).delete(link::clear_default))
        .route("/v2/bot/user/all/richmenu/{rich_menu_id}", post(link::set_default))
        .route("/v2/bot/user/{user_id}/richmenu", get(link::show_of_user).delete(link::unlink_user))
        .route("/v2/bot/user/{user_id}/richmenu/{rich_menu_id}", post(link::link_user))
        .route("/v2/bot/insight/richmenu/{rich_menu_id}/summary", get(insight::summary))
        .route("/v2/bot/insight/richmenu/{rich_menu_id}/daily", get(insight::daily))
}

/// The rich menus of all accounts, by channel ID.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    accounts: BTreeMap<String, Menus>,
}

/// One account's menus.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Menus {
    /// Oldest first.
    menus: Vec<Menu>,
    /// From alias to menu ID; the menu may be gone.
    aliases: BTreeMap<String, String>,
    default: Option<String>,
    /// The menu that OA Manager shows by default.
    manager_default: Option<String>,
    /// Menus of single persons; the menu always exists.
    links: BTreeMap<u64, String>,
    /// Bulk calls and batches, oldest first; done batches stay for their progress.
    jobs: Vec<Job>,
}

/// A rich menu with what was done on it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Menu {
    id: String,
    /// The menu object without its ID (PLATFORM 10).
    object: Value,
    image: Option<Image>,
    created_at: i64,
    /// Made in OA Manager, which the API does not see.
    by_manager: bool,
    views: Days,
    /// By area, in the object's order.
    taps: Vec<Days>,
}

/// How often each person did something, by day (UTC+9).
type Days = BTreeMap<i64, BTreeMap<u64, u64>>;

/// Work that is done a moment after its call was accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Job {
    request_id: String,
    accepted_at: i64,
    due: i64,
    work: Work,
    /// Whether it succeeded, once it is done.
    result: Option<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Work {
    Link { menu: String, people: BTreeSet<u64> },
    Unlink { people: BTreeSet<u64> },
    Batch { operations: Vec<Operation>, resume_key: Option<String> },
}

/// The menu a person sees, for phones.
#[derive(Debug, Clone)]
pub(crate) struct Shown<'w> {
    pub(crate) id: &'w str,
    /// The menu object: `size, selected, name, chatBarText, areas`.
    pub(crate) object: &'w Value,
}

impl Inner {
    /// The rich menu that a person sees in the chat with an account, if any; its image is at `/phone-rich-menu/{id}`.
    pub(crate) fn rich_menu_of<'w>(&self, world: &'w World, channel: &str, person: u64) -> Option<Shown<'w>> {
        let menus = world.rich_menus.accounts.get(channel)?;
        let menu = menus.seen_by(person, self.clock.now())?;
        Some(Shown { id: &menu.id, object: &menu.object })
    }

    /// Wakes the phones when the clock shows `at` (ms).
    fn wake_phones_at(self: &Arc<Self>, at: i64) {
        let (clock, sandbox) = (Arc::clone(&self.clock), Arc::downgrade(self));
        tokio::spawn(async move {
            clock.sleep_until(at).await;
            if let Some(inner) = sandbox.upgrade() {
                inner.changed(Vec::new());
            }
        });
    }
}

impl State {
    /// An account's menus with everything done that is due at `now` (ms).
    pub(crate) fn settled(&mut self, channel: &str, now: i64) -> &mut Menus {
        let menus = self.accounts.entry(channel.to_owned()).or_default();
        menus.settle(now);
        menus
    }

    /// The image of any account's menu, also of one that was made in OA Manager.
    pub(crate) fn image(&self, id: &str) -> Option<&Image> {
        self.accounts.values().find_map(|menus| menus.any(id)?.image.as_ref())
    }
}

impl Menus {
    /// Any menu that exists, whoever made it.
    fn any(&self, id: &str) -> Option<&Menu> {
        self.menus.iter().find(|menu| menu.id == id)
    }

    /// A menu that the API made.
    fn get(&self, id: &str) -> Option<&Menu> {
        self.any(id).filter(|menu| !menu.by_manager)
    }

    fn get_mut(&mut self, id: &str) -> Option<&mut Menu> {
        self.menus.iter_mut().find(|menu| menu.id == id && !menu.by_manager)
    }

    /// The menu a person sees (PLATFORM 10, priority).
    fn seen_by(&self, person: u64, now: i64) -> Option<&Menu> {
        let of = |id: Option<&str>| id.and_then(|id| self.any(id));
        of(self.link_of(person, now))
            .or_else(|| of(self.default.as_deref()))
            .or_else(|| of(self.manager_default.as_deref()))
    }

    /// The person's own link, with the jobs that are due.
    fn link_of(&self, person: u64, now: i64) -> Option<&str> {
        let link = self.links.get(&person).map(String::as_str);
        self.due(now)
            .into_iter()
            .fold(link, |link, job| job.work.applied(person, link))
            .filter(|id| self.get(id).is_some())
    }

    /// The jobs that are due and not done, in their order.
    fn due(&self, now: i64) -> Vec<&Job> {
        let mut due: Vec<&Job> =
            self.jobs.iter().filter(|job| job.result.is_none() && job.due <= now).collect();
        due.sort_by_key(|job| job.due);
        due
    }

    /// Does what is due.
    fn settle(&mut self, now: i64) {
        if self.due(now).is_empty() {
            return;
        }
        // Only those whom a job moves are looked at: with many people and many bulk calls the rest would be most of the work.
        let known: BTreeSet<&str> =
            self.menus.iter().filter(|menu| !menu.by_manager).map(|menu| menu.id.as_str()).collect();
        let mut due: Vec<&mut Job> =
            self.jobs.iter_mut().filter(|job| job.result.is_none() && job.due <= now).collect();
        due.sort_by_key(|job| job.due);
        for job in due {
            let moved: Vec<u64> = match &job.work {
                Work::Link { people, .. } | Work::Unlink { people } => people.iter().copied().collect(),
                Work::Batch { .. } => self.links.keys().copied().collect(),
            };
            for person in moved {
                let link = job.work.applied(person, self.links.get(&person).map(String::as_str));
                match link.filter(|id| known.contains(id)).map(str::to_owned) {
                    Some(id) => self.links.insert(person, id),
                    None => self.links.remove(&person),
                };
            }
            job.result = Some(job.work.targets().all(|id| known.contains(id)));
        }
        self.jobs.retain(|job| {
            job.result.is_none()
                || (matches!(job.work, Work::Batch { .. }) && job.accepted_at + batch::KEPT_MS > now)
        });
    }

    /// Links a person to a menu that exists and has its image.
    pub(crate) fn link(&mut self, person: u64, id: &str) {
        self.links.insert(person, id.to_owned());
    }

    /// Forgets a person's own link: blocking loses it for good (PLATFORM 10, GOTCHAS H3).
    pub(crate) fn forget(&mut self, person: u64) {
        self.links.remove(&person);
    }

    /// What an alias leads to: no alias, an alias to no menu, or a menu's ID.
    pub(crate) fn alias(&self, alias: &str) -> Option<Option<&str>> {
        let id = self.aliases.get(alias)?;
        Some(self.get(id).map(|menu| menu.id.as_str()))
    }

    /// The action of an area of the menu that the person sees, whose tap is counted.
    pub(crate) fn tap(&mut self, person: u64, area: usize, now: i64) -> Option<Value> {
        let id = self.seen_by(person, now)?.id.clone();
        let menu = self.menus.iter_mut().find(|menu| menu.id == id)?;
        let action = menu.object.get("areas")?.get(area)?.get("action")?.clone();
        count(menu.taps.get_mut(area)?, person, now);
        Some(action)
    }

    /// Counts that the person saw the menu; gives its ID.
    pub(crate) fn view(&mut self, person: u64, now: i64) -> Option<String> {
        let id = self.seen_by(person, now)?.id.clone();
        let menu = self.menus.iter_mut().find(|menu| menu.id == id)?;
        count(&mut menu.views, person, now);
        Some(id)
    }

    /// Sets or removes the menu that OA Manager shows by default. It is invisible to the API (PLATFORM 10).
    pub(crate) fn set_manager_default(&mut self, menu: Option<Menu>) {
        self.menus.retain(|menu| !menu.by_manager);
        self.manager_default = menu.as_ref().map(|menu| menu.id.clone());
        self.menus.extend(menu);
    }
}

impl Menu {
    /// A menu of a checked object, without image. `number` is 32 hexadecimal digits.
    pub(crate) fn new(
        number: &str,
        object: &Value,
        created_at: i64,
        by_manager: bool,
        image: Option<Image>,
    ) -> Self {
        let object = menu::plain(object);
        let areas = object.get("areas").and_then(Value::as_array).map_or(0, Vec::len);
        Self {
            id: format!("richmenu-{number}"),
            object,
            image,
            created_at,
            by_manager,
            views: Days::new(),
            taps: vec![Days::new(); areas],
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl Work {
    /// What becomes of a person's link.
    fn applied<'a>(&'a self, person: u64, link: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::Link { menu, people } if people.contains(&person) => Some(menu),
            Self::Unlink { people } if people.contains(&person) => None,
            Self::Link { .. } | Self::Unlink { .. } => link,
            // Each person is moved once: the operations look at the links as they were.
            Self::Batch { operations, .. } => {
                let hit = link.and_then(|link| operations.iter().find(|operation| operation.concerns(link)));
                hit.map_or(link, Operation::target)
            }
        }
    }

    /// The menus that must still exist when the work is done.
    fn targets(&self) -> impl Iterator<Item = &str> {
        let (single, operations) = match self {
            Self::Link { menu, .. } => (Some(menu.as_str()), [].as_slice()),
            Self::Unlink { .. } => (None, [].as_slice()),
            Self::Batch { operations, .. } => (None, operations.as_slice()),
        };
        single.into_iter().chain(operations.iter().filter_map(Operation::target))
    }
}

fn count(days: &mut Days, person: u64, now: i64) {
    *days.entry(day(now)).or_default().entry(person).or_default() += 1;
}
