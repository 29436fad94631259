//! Stub.
use axum::Router;
use crate::app::Hub;
use crate::ids::*;
/// a
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// a
    User { /// a
        id: UserId, /// a
        name: String },
    /// a
    Key { /// a
        id: ApiKeyId, /// a
        name: String },
    /// a
    System(&'static str),
}
/// a
pub mod service {
    use crate::app::Hub; use crate::db::*; use crate::ids::*; use super::Actor; use serde_json::Value; use crate::scope::Scope; use crate::error::AppResult;
    /// a
    pub async fn audit(_tx: &mut Tx, _hub: &Hub, _tenant: &TenantId, _actor: &Actor, (_a, _s): (&str, &str), _d: &Value) -> DbResult<()> { Ok(()) }
    /// a
    pub struct Member { /// a
        pub id: UserId }
    /// a
    pub async fn members(_hub: &Hub, _scope: &Scope) -> AppResult<Vec<Member>> { Ok(vec![]) }
}
/// a
pub fn routes() -> Router<Hub> { Router::new() }
