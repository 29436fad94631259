//! Figures for Prometheus.

use std::sync::LazyLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The process's one recorder; made by [`install`], or by the first page of figures.
static RECORDER: LazyLock<Option<PrometheusHandle>> =
    LazyLock::new(|| PrometheusBuilder::new().set_buckets(&BUCKETS).ok()?.install_recorder().ok());

/// Seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Starts to collect. Called once at start-up, before anything counts.
pub fn install() {
    LazyLock::force(&RECORDER);
}

/// All figures, as Prometheus reads them; empty when another recorder was there first.
#[must_use]
pub fn render() -> String {
    RECORDER.as_ref().map_or_else(String::new, |recorder| {
        recorder.run_upkeep();
        recorder.render()
    })
}
