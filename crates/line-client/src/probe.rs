//! Whether LINE's hosts are reached at all: one request without credentials, for a system check.

use std::time::{Duration, Instant};

use reqwest::header::DATE;
use url::Url;

use crate::error::LineError;
use crate::transport::LineClient;

/// One of LINE's hosts (PLATFORM 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// `api.line.me`
    Api,
    /// `api-data.line.me`
    Data,
    /// `access.line.me`
    Access,
}

impl Host {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Api, Self::Data, Self::Access];
}

/// What a host answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The HTTP status. Any will do: LINE's hosts have nothing at their root.
    pub status: u16,
    /// From the request to the answer's headers; of a new connection with DNS, TCP and TLS.
    pub took: Duration,
    /// `Date` as the host wrote it, to the second (RFC 9110); by it two clocks are compared.
    pub date: Option<String>,
}

impl LineClient {
    /// A host's address.
    #[must_use]
    pub fn host(&self, host: Host) -> &Url {
        let endpoints = self.endpoints();
        match host {
            Host::Api => &endpoints.api,
            Host::Data => &endpoints.data,
            Host::Access => &endpoints.access,
        }
    }

    /// Asks a host for its root, without credentials and without following where it leads.
    ///
    /// # Errors
    /// [`LineError::NotSent`] where there was no connection (its source says whether name, TCP or TLS), or
    /// [`LineError::Unknown`] where no answer came.
    pub async fn probe_host(&self, host: Host) -> Result<Probe, LineError> {
        let start = Instant::now();
        let answer = self.fetch(self.host(host).clone()).await?;
        Ok(Probe {
            status: answer.status().as_u16(),
            took: start.elapsed(),
            date: answer.header(&DATE).map(str::to_owned),
        })
    }
}
