//! Fingerprints: which days changed since somebody last looked, without a look at their rows.

use std::collections::BTreeMap;

use jiff::civil::Date;
use uptake_domain::tables::Table;
use uuid::Uuid;

use crate::scan::{date_column, partition_column};
use crate::{Lake, LakeError};

impl Lake {
    /// For each day for which the table has a partition, a text that stays the same as long as the rows of that day do,
    /// in every process and version. Where a row was added, changed or removed it is another one. It may also be
    /// another one where only the files are others, as after a compaction. Only the log is read.
    ///
    /// # Errors
    ///
    /// Those of [`Lake::partition_dates`].
    pub async fn fingerprints(&self, table: &'static Table, column: &str) -> Result<BTreeMap<Date, String>, LakeError> {
        partition_column(table, column)?;
        date_column(table, column)?;
        let Some(opened) = self.open(table).await? else {
            return Ok(BTreeMap::new());
        };
        // A file never changes and no other one ever gets its name.
        let mut names: BTreeMap<Date, String> = BTreeMap::new();
        for file in self.files(table, &opened).await? {
            let date = file.value(column).and_then(|value| value.parse().ok());
            if let Some(date) = date {
                let names = names.entry(date).or_default();
                names.push_str(&file.entry.path());
                names.push('\n');
            }
        }
        let fingerprint = |names: String| Uuid::new_v5(&Uuid::NAMESPACE_URL, names.as_bytes()).to_string();
        Ok(names
            .into_iter()
            .map(|(date, names)| (date, fingerprint(names)))
            .collect())
    }
}
