//! The figures of the last days, published again only where they grew.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use uptake_domain::calendar::start_of;
use uptake_domain::engagement_figures::DayFigures;

use super::{Derivation, Findings};
use crate::outcome::PipelineError;
use crate::ports::TAKEN_FOR;
use crate::state;

/// What was published of each of the last days.
const STATE_KEY: &str = "state/engagement/published.json";

impl Derivation<'_> {
    /// Publishes the figures of days that are different from what was published of them.
    pub(super) async fn publish(
        &self,
        figures: BTreeMap<Date, DayFigures>,
        findings: &mut Findings,
    ) -> Result<(), PipelineError> {
        let files = self.ports.files;
        let published: BTreeMap<Date, DayFigures> = state::read(files, STATE_KEY).await?.unwrap_or_default();
        let apps = |day: &DayFigures| -> Vec<String> { day.apps.keys().chain(day.streaks.keys()).cloned().collect() };
        let mut expected: BTreeSet<String> = published.values().flat_map(apps).collect();
        // Under the empty name stands everybody.
        expected.remove("");
        let oldest = self.ports.clock.now() - TAKEN_FOR;
        let different = figures
            .iter()
            .filter(|(day, figures)| published.get(day) != Some(figures) && start_of(**day) >= oldest);
        let data: Vec<_> = different
            .flat_map(|(day, figures)| figures.metrics(*day, &expected))
            .collect();
        if data.is_empty() {
            return Ok(());
        }
        self.ports.metrics.publish(&data).await?;
        findings.counts.published += data.len() as u64;
        // Days before are remembered for their apps' zeros, and until CloudWatch takes them no more.
        let mut kept = published;
        kept.extend(figures);
        kept.retain(|day, _| start_of(*day) >= oldest);
        state::write(files, STATE_KEY, &kept).await
    }
}
