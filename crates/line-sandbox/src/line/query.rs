//! Query strings as LINE reads them: arrays come with repeated names or joined by commas (PLATFORM 27).

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query as Pairs};
use axum::http::request::Parts;

use crate::Inner;
use crate::line::error::LineError;

/// The pairs of a query string, in their order.
#[derive(Debug, Clone)]
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequestParts<Arc<Inner>> for Query {
    type Rejection = LineError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Inner>) -> Result<Self, LineError> {
        let pairs = Pairs::from_request_parts(parts, state).await;
        pairs.map(|Pairs(pairs)| Self(pairs)).map_err(|_| LineError::bad_request("Bad Request"))
    }
}

impl Query {
    /// The first value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name, whether it is repeated or its values are joined by commas.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(key, _)| key == name);
        values.flat_map(|(_, value)| value.split(',')).filter(|value| !value.is_empty()).collect()
    }
}
