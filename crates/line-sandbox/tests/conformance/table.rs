//! What was seen of each operation, gathered from the sandbox's own log of calls.

use std::collections::{BTreeMap, BTreeSet};

use line_api::schema::Schema;
use serde_json::Value;

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Client {
    Raw,
    Python,
    Node,
}

/// The operations that LINE documents and no schema file has (PLATFORM, appendix A): method, path, name; the first four share
/// their path with a channel token's.
const UNLISTED: [(&str, &str, &str); 16] = [
    ("POST", "/oauth2/v2.1/token", "issueUserToken"),
    ("GET", "/oauth2/v2.1/verify", "verifyUserToken"),
    ("POST", "/oauth2/v2.1/revoke", "revokeUserToken"),
    ("POST", "/oauth2/v2.1/verify", "verifyIdToken"),
    ("GET", "/oauth2/v2.1/userinfo", "getUserInfo"),
    ("POST", "/oauth2/v2.1/userinfo", "postUserInfo"),
    ("GET", "/oauth2/v2.1/certs", "getKeys"),
    ("GET", "/v2/profile", "getUserProfile"),
    ("GET", "/friendship/v1/status", "getFriendship"),
    ("POST", "/user/v1/deauthorize", "deauthorize"),
    ("GET", "/oauth2/v2.1/authorize", "authorize"),
    ("GET", "/.well-known/openid-configuration", "discover"),
    ("GET", "/dialog/bot/accountLink", "linkAccount"),
    ("GET", "/module/auth/v1/authorize", "authorizeModule"),
    ("POST", "/v2/bot/message/pnp/templated/push", "pushTemplatedByPhone"),
    ("GET", "/v2/bot/message/delivery/pnp/templated", "getTemplatedPNPStatistics"),
];

/// The group under which the operations without a file stand.
pub(crate) const NO_FILE: &str = "LINE Login and others, in no schema file";

/// One operation and what was seen of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) file: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) name: String,
    /// The statuses that LINE's file lists.
    pub(crate) listed: Vec<u16>,
    pub(crate) seen: BTreeMap<Client, BTreeSet<u16>>,
}

/// All operations, by file.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl Row {
    /// The statuses that a client was answered.
    pub(crate) fn of(&self, client: Client) -> impl Iterator<Item = u16> {
        self.seen.get(&client).into_iter().flatten().copied()
    }

    pub(crate) fn succeeded(&self, client: Client) -> bool {
        self.of(client).any(|status| (200..400).contains(&status))
    }

    /// Whether a path is this operation's, and how many of its parts are free.
    fn fits(&self, method: &str, path: &str) -> Option<usize> {
        let (wanted, given): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let free = |part: &str| part.starts_with('{');
        let fits = self.method == method
            && wanted.len() == given.len()
            && wanted.iter().zip(&given).all(|(wanted, given)| wanted == given || free(wanted));
        fits.then(|| wanted.iter().filter(|part| free(part)).count())
    }
}

impl Table {
    pub(crate) fn new(schema: &Schema) -> Self {
        let row = |file: &str, method: &str, path: &str, name: &str| Row {
            file: file.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            name: name.to_owned(),
            listed: Vec::new(),
            seen: BTreeMap::new(),
        };
        let mut rows: Vec<Row> = schema
            .operations()
            .iter()
            .map(|known| Row {
                listed: schema.statuses(&known.method, &known.path_template),
                ..row(&known.file, &known.method, &known.path_template, &known.operation_id)
            })
            .collect();
        rows.extend(UNLISTED.map(|(method, path, name)| row(NO_FILE, method, path, name)));
        Self { rows }
    }

    /// Takes in the items of `/sandbox/v1/requests`. Where a path serves channels and people, `login` tells which it was.
    pub(crate) fn collect(&mut self, client: Client, calls: &[Value], login: bool) {
        for call in calls {
            let text = |name: &str| call[name].as_str().unwrap_or_default();
            let (method, path) = (text("method"), text("path"));
            let fitting =
                self.rows.iter_mut().filter_map(|row| row.fits(method, path).map(|free| (free, row)));
            let wanted = |row: &Row| (row.file == NO_FILE) != login;
            let row = fitting.min_by_key(|(free, row)| (*free, wanted(row))).map(|(_, row)| row);
            if let (Some(row), Some(status)) = (row, call["status"].as_u64()) {
                row.seen.entry(client).or_default().insert(u16::try_from(status).unwrap());
            }
        }
    }

    /// The operations that never succeeded for a client.
    pub(crate) fn missing(&self, client: Client) -> Vec<String> {
        let missing = self.rows.iter().filter(|row| !row.succeeded(client));
        missing.map(|row| format!("{} {} {}", row.name, row.method, row.path)).collect()
    }
}
