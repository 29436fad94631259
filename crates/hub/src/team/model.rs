//! Types and pure rules of the team.

use crate::clock::Timestamp;
use crate::ids::{ApiKeyId, TenantId, UserId};

/// A customer of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The id.
    pub id: TenantId,
    /// The name, unique in the hub but for case and spaces.
    pub name: String,
    /// The IANA name of the zone in which its times are shown.
    pub time_zone: String,
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything of the tenant.
    Owner,
    /// Conversations and contacts of the accounts granted.
    Agent,
}

impl Role {
    /// `owner` or `agent`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Agent => "agent",
        }
    }

    /// Reads what [`Role::name`] writes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Owner, Self::Agent].into_iter().find(|role| role.name() == name)
    }
}

/// A user to be made.
#[derive(Debug, Clone)]
pub struct NewUser<'a> {
    /// The address to sign in with; kept in lower case.
    pub email: &'a str,
    /// The name that colleagues see; the address's first part when empty.
    pub name: &'a str,
    /// What the user may do.
    pub role: Role,
    /// At least 10 characters.
    pub password: &'a str,
}

/// The longest name of a person, a key or a tenant, in characters.
pub(super) const NAME_MAX: usize = 80;
/// The longest e-mail address, in bytes (RFC 5321).
const EMAIL_MAX: usize = 254;
/// The shortest password, in characters.
pub(super) const PASSWORD_MIN: usize = 10;
/// The longest password, in characters: more is an attempt to keep the hub busy.
pub(super) const PASSWORD_MAX: usize = 200;

/// An e-mail address as it is kept: trimmed, in lower case; `None` when it cannot be one.
pub(super) fn email(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    let (name, host) = email.split_once('@')?;
    let is_fine = email.len() <= EMAIL_MAX
        && !name.is_empty()
        && !host.is_empty()
        && !host.contains('@')
        && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    is_fine.then_some(email)
}

/// What an API key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// Reading.
    Read,
    /// Sending messages and working with conversations.
    Send,
    /// Connecting and changing accounts, and all settings.
    Manage,
}

impl KeyScope {
    /// All.
    pub const ALL: [Self; 3] = [Self::Read, Self::Send, Self::Manage];

    /// `read`, `send` or `manage`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Send => "send",
            Self::Manage => "manage",
        }
    }

    /// Reads what [`KeyScope::name`] writes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// The scopes of one key, in the order of [`KeyScope::ALL`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyScopes(Vec<KeyScope>);

impl KeyScopes {
    /// The given scopes, each once; all of them when none is given.
    #[must_use]
    pub fn new(given: &[KeyScope]) -> Self {
        let has = |scope: &KeyScope| given.is_empty() || given.contains(scope);
        Self(KeyScope::ALL.into_iter().filter(has).collect())
    }

    /// Whether a scope is among them.
    #[must_use]
    pub fn has(&self, scope: KeyScope) -> bool {
        self.0.contains(&scope)
    }

    /// The names, for the API and the database.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|scope| scope.name()).collect()
    }

    /// Reads names set apart by spaces.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.split(' ').filter_map(KeyScope::parse).collect())
    }
}

/// Who changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person in a browser.
    User {
        /// The id.
        id: UserId,
        /// The name at that time.
        name: String,
    },
    /// A program with an API key.
    Key {
        /// The id.
        id: ApiKeyId,
        /// The key's name.
        name: String,
    },
    /// The command line, a job, or the hub itself: `command line`, `demo`.
    System(&'static str),
}

impl Actor {
    /// The name, as a list of changes shows it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts().2
    }

    pub(super) fn parts(&self) -> (&'static str, &str, &str) {
        match self {
            Self::User { id, name } => ("user", id.as_str(), name),
            Self::Key { id, name } => ("key", id.as_str(), name),
            Self::System(name) => ("system", "", name),
        }
    }
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The id; lists go by time and id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// `user`, `key` or `system`.
    pub actor_kind: String,
    /// The actor's name at that time.
    pub actor: String,
    /// What was done: `user.invited`, `account.connected`.
    pub action: String,
    /// To what: an id or a name.
    pub subject: String,
    /// More of it; never a secret.
    pub detail: serde_json::Value,
}

/// A user as colleagues see them.
#[derive(Debug, Clone)]
pub struct Member {
    /// The id.
    pub id: UserId,
    /// The address.
    pub email: String,
    /// The name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The accounts an agent may see.
    pub account_ids: Vec<String>,
    /// When a page was last opened.
    pub last_seen_at: Option<Timestamp>,
    /// Whether signing in is refused.
    pub is_disabled: bool,
}

/// An API key as its owner sees it: never the key itself.
#[derive(Debug, Clone)]
pub struct KeyInfo {
    /// The id.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// The key's last four characters.
    pub hint: String,
    /// What it may be used for.
    pub scopes: KeyScopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used (to the minute).
    pub last_used_at: Option<Timestamp>,
}

/// An invitation that nobody has taken yet.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Whom it is for.
    pub email: String,
    /// What they will be.
    pub role: Role,
    /// When the link stops working.
    pub expires_at: Timestamp,
}

/// A one-time link as it was opened.
#[derive(Debug, Clone)]
pub struct Link {
    /// What it lets one do.
    pub kind: LinkKind,
    /// The tenant; none yet for the first owner of an empty hub.
    pub tenant: Option<TenantId>,
    /// Whom an entry link signs in.
    pub user: Option<UserId>,
    /// Whom an invitation is for.
    pub email: Option<String>,
    /// What an invited person will be.
    pub role: Option<Role>,
    /// The accounts granted with the invitation.
    pub account_ids: Vec<String>,
}

/// What a one-time link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// Making the first owner.
    Owner,
    /// Joining a tenant.
    Invitation,
    /// Signing in as one user, without a password.
    Entry,
}

impl LinkKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Invitation => "invitation",
            Self::Entry => "entry",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Owner, Self::Invitation, Self::Entry].into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_one_form() {
        assert_eq!(email(" Mei@Example.TW ").as_deref(), Some("mei@example.tw"));
        for wrong in ["", "mei", "@x", "mei@", "a@b@c", "a b@c", "a\n@b"] {
            assert_eq!(email(wrong), None, "{wrong}");
        }
        assert_eq!(email(&format!("{}@x", "a".repeat(253))), None);
    }

    #[test]
    fn a_key_without_scopes_has_all() {
        assert_eq!(KeyScopes::new(&[]).names(), ["read", "send", "manage"]);
        let some = KeyScopes::new(&[KeyScope::Send, KeyScope::Read, KeyScope::Send]);
        assert_eq!(some.names(), ["read", "send"]);
        assert_eq!(KeyScopes::parse("read send"), some);
        assert!(!some.has(KeyScope::Manage));
    }
}
