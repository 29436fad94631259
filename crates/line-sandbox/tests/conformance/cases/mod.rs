//! Raw requests for every operation: what each answers, by status, with LINE's texts.

mod account;
mod audiences;
mod common;
mod coupons;
mod insight;
mod login;
mod module;
mod rich_menus;
mod send;
mod tokens;

use std::future::Future;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::stage::{Answer, Stage};
use crate::table::{Client, Table};

/// A user, group or room ID, a rich menu ID and a coupon ID that are well formed and nobody's.
pub(crate) const NOBODY: &str = "U00000000000000000000000000000000";
const NO_GROUP: &str = "C00000000000000000000000000000000";
const NO_ROOM: &str = "R00000000000000000000000000000000";
const NO_MENU: &str = "richmenu-00000000000000000000000000000000";

/// What an area called: the calls of channels, and those of people, where a path serves both.
type Calls = (Vec<Value>, Vec<Value>);

/// Areas at work, each on a thread of its own: one that fails leaves the others be, so that a run tells all.
pub(crate) struct Running(Vec<JoinHandle<Calls>>);

pub(crate) fn start() -> Running {
    fn area<F: Future<Output = Calls>>(work: impl FnOnce() -> F + Send + 'static) -> JoinHandle<Calls> {
        let run =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work());
        std::thread::spawn(run)
    }
    Running(vec![
        area(account::run),
        area(send::run),
        area(rich_menus::run),
        area(tokens::run),
        area(audiences::run),
        area(insight::run),
        area(coupons::run),
        area(module::run),
        area(common::run),
        area(login::run),
    ])
}

impl Running {
    pub(crate) fn collect(self, table: &mut Table) {
        let mut failed = 0;
        for area in self.0 {
            match area.join() {
                Ok((channels, people)) => {
                    table.collect(Client::Raw, &channels, false);
                    table.collect(Client::Raw, &people, true);
                }
                Err(_) => failed += 1,
            }
        }
        assert_eq!(failed, 0, "areas failed; each says above why");
    }
}

/// The calls that a stage's sandbox received.
async fn calls(stage: &Stage) -> Calls {
    (stage.items("/requests").await, Vec::new())
}

fn text(words: &str) -> Value {
    json!([{"type": "text", "text": words}])
}

trait Check {
    /// Asserts the status and gives the body, `null` where there is none. A refusal has LINE's form (PLATFORM 5).
    fn is(&self, status: u16) -> Value;

    /// Asserts a refusal with its text.
    fn says(&self, status: u16, message: &str);

    /// Asserts a refusal of one property.
    fn finds(&self, property: &str, message: &str);

    /// Asserts a refusal in the form of OAuth.
    fn denies(&self, error: &str, description: &str);
}

impl Check for Answer {
    #[track_caller]
    fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        assert_eq!(self.header("x-line-request-id").len(), 36);
        if self.bytes.is_empty() {
            return Value::Null;
        }
        assert_eq!(self.header("content-type"), "application/json");
        let body = self.json();
        if status >= 400 {
            assert!(body["message"].is_string() || body["error"].is_string(), "{body}");
        }
        body
    }

    #[track_caller]
    fn says(&self, status: u16, message: &str) {
        assert_eq!(self.is(status)["message"], message);
    }

    #[track_caller]
    fn finds(&self, property: &str, message: &str) {
        let body = self.is(400);
        let found = json!({"message": message, "property": property});
        assert!(body["details"].as_array().is_some_and(|all| all.contains(&found)), "{body}");
    }

    #[track_caller]
    fn denies(&self, error: &str, description: &str) {
        assert_eq!(self.is(400), json!({"error": error, "error_description": description}));
    }
}
