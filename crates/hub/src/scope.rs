//! Who asks: the tenant whose data may be seen, and of an agent only the accounts granted.
//!
//! Every `repo` function on a tenant's table takes the scope first and puts it in the WHERE. Statements that touch an
//! account's data end with [`in_scope!`](crate::in_scope), whose two parameters are [`Scope::tenant`] and [`Scope::viewer`].

use crate::ids::{TenantId, UserId};

/// The boundary of what a caller may see and change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    tenant: TenantId,
    viewer: Option<UserId>,
}

impl Scope {
    /// Everything of a tenant: owners, administrators, API keys, the hub's own work.
    #[must_use]
    pub const fn tenant_wide(tenant: TenantId) -> Self {
        Self { tenant, viewer: None }
    }

    /// Of a tenant, only the accounts granted to an agent.
    #[must_use]
    pub const fn agent(tenant: TenantId, user: UserId) -> Self {
        Self { tenant, viewer: Some(user) }
    }

    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The agent whose grants count, or the empty text for "all accounts of the tenant".
    #[must_use]
    pub fn viewer(&self) -> &str {
        self.viewer.as_ref().map_or("", UserId::as_str)
    }
}

/// The end of a WHERE: the row's tenant is `$tenant`, and its account is granted to `$viewer` (all, when it is empty).
/// `in_scope!("c", "$1", "$2")` for a table with the alias `c` and the columns `tenant_id` and `account_id`.
#[macro_export]
macro_rules! in_scope {
    ($alias:literal, $tenant:literal, $viewer:literal) => {
        concat!(
            " ",
            $alias,
            ".tenant_id = ",
            $tenant,
            " AND (",
            $viewer,
            " = '' OR ",
            $alias,
            ".account_id IN (SELECT g.account_id FROM account_grants AS g WHERE g.user_id = ",
            $viewer,
            "))"
        )
    };
}
