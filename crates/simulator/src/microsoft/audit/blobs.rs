//! Blobs of content: when each is made, and which interactions are in it.
//!
//! What happened in a quarter of an hour is handed out in blobs of some size, an hour or more later. Beside these there
//! are blobs of stragglers: what comes days late, and what comes a second time. Which blob there is and what is in it
//! follows from its key; nothing is kept but lists of keys.

use std::ops::Range;

use super::{
    super::tenant::Tenant,
    day::{Day, QUARTER_SECONDS, QUARTERS, start_of},
};
use crate::dice::{Series, Topic};

const DAY: i64 = 86_400;

/// The most days from an event to a second copy of it.
const LONGEST: u8 = 6;
/// The most days from a day to the creation of the last blob with something of it: six, and less than one more.
pub(super) const LONGEST_DAYS: i64 = 7;

/// What identifies a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// A part of what happened in a quarter of an hour.
    Soon { day: i64, quarter: u8, part: u32 },
    /// What comes so many days after the day, of a part of the day.
    Straggling { day: i64, after: u8, part: u32 },
}

/// A blob of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Blob {
    /// When it was made, in milliseconds since 1970.
    pub(crate) created: i64,
    pub(crate) key: Key,
}

impl Key {
    /// The day of the events in it.
    pub(super) fn day(self) -> i64 {
        match self {
            Self::Soon { day, .. } | Self::Straggling { day, .. } => day,
        }
    }

    /// The throws about a blob.
    pub(super) fn throws(self, tenant: &Tenant, topic: Topic) -> Series {
        let (who, day) = match self {
            Self::Soon { day, quarter, part } => (u32::from(quarter) << 20 | part, day),
            Self::Straggling { day, after, part } => (1 << 31 | u32::from(after) << 24 | part, day),
        };
        tenant.dice.series(topic, who, day)
    }
}

/// When an interaction is handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    /// How many days late; 0 is on time.
    pub(super) late: u8,
    /// How many days later it comes once more.
    pub(super) again: Option<u8>,
}

impl Tenant {
    pub(super) fn fate(&self, day: i64, number: u32) -> Fate {
        let mut throws = self.dice.series(Topic::AuditFate, number, day);
        let is_late = throws.below(100) < self.scenario.late_events_percent;
        let late = throws.pick(&[1, 2, 3, 4, 5]);
        let is_double = throws.below(100) < self.scenario.duplicate_events_percent;
        let soon_after = throws.pick(&[0, 0, 0, 1, 2, 3, 4, 5]);
        let late = if is_late { late } else { 0 };
        Fate {
            late,
            // Never in the blob that has the first copy.
            again: is_double.then_some(if is_late { late + 1 } else { soon_after }),
        }
    }

    fn per_blob(&self) -> u32 {
        u32::try_from(self.scenario.events_per_blob).unwrap_or(u32::MAX).max(1)
    }

    /// Into how many parts the stragglers of a day are divided.
    fn parts(&self, day: &Day) -> u32 {
        let percent = self.scenario.late_events_percent + self.scenario.duplicate_events_percent;
        let stragglers = u64::from(day.count()) * percent / 100;
        let of_a_day = stragglers.div_ceil(u64::from(LONGEST) * u64::from(self.per_blob()));
        u32::try_from(of_a_day).unwrap_or(u32::MAX).max(1)
    }

    /// The part of the day's stragglers in which an interaction is looked for.
    fn part_of(&self, day: &Day, number: u32) -> u32 {
        let part = u64::from(number) * u64::from(self.parts(day)) / u64::from(day.count().max(1));
        u32::try_from(part).unwrap_or_default()
    }

    /// The interactions that a blob is chosen from.
    pub(super) fn range(&self, day: &Day, key: Key) -> Range<u32> {
        match key {
            Key::Soon { quarter, part, .. } => {
                let quarter = usize::from(quarter);
                let behind = day.starts[quarter + 1];
                let first = day.starts[quarter].saturating_add(part.saturating_mul(self.per_blob()));
                first.min(behind)..first.saturating_add(self.per_blob()).min(behind)
            }
            Key::Straggling { part, .. } => {
                let (count, parts) = (u64::from(day.count()), u64::from(self.parts(day)));
                let start = |part: u64| u32::try_from((part * count).div_ceil(parts)).unwrap_or(u32::MAX);
                start(u64::from(part))..start(u64::from(part) + 1)
            }
        }
    }

    /// The interactions in a blob.
    pub(super) fn numbers<'a>(&'a self, day: &Day, key: Key) -> impl Iterator<Item = u32> + use<'a> {
        let number_of_day = day.number;
        self.range(day, key).filter(move |number| {
            let fate = self.fate(number_of_day, *number);
            match key {
                Key::Soon { .. } => fate.late == 0,
                Key::Straggling { after, .. } => (after > 0 && fate.late == after) || fate.again == Some(after),
            }
        })
    }

    /// When a blob is made, in milliseconds since 1970.
    pub(super) fn created(&self, day: &Day, key: Key) -> i64 {
        let mut throws = key.throws(self, Topic::AuditBlob);
        let end_of = |quarter: usize| day.number * DAY + start_of(quarter + 1);
        let seconds = match key {
            Key::Soon { quarter, .. } => {
                // 60 to 90 minutes after everything in it; one in ten takes up to two hours longer.
                let usual = end_of(quarter.into()) + 3600 + throws.between(0, QUARTER_SECONDS - 1);
                let (is_slow, longer) = (throws.below(10) == 0, throws.between(1800, 7200));
                usual + if is_slow { longer } else { 0 }
            }
            Key::Straggling { after, .. } => {
                let last = self.range(day, key).end.saturating_sub(1);
                end_of(day.quarter_of(last)) + i64::from(after) * DAY + throws.between(7200, 36_000)
            }
        };
        seconds * 1000 + throws.between(0, 999)
    }

    /// When the first copy of an interaction is handed out, in milliseconds since 1970.
    pub(super) fn first_created(&self, day: &Day, number: u32) -> i64 {
        let quarter = day.quarter_of(number);
        let key = match self.fate(day.number, number).late {
            0 => Key::Soon {
                day: day.number,
                quarter: u8::try_from(quarter).unwrap_or_default(),
                part: (number - day.starts[quarter]) / self.per_blob(),
            },
            after => Key::Straggling {
                day: day.number,
                after,
                part: self.part_of(day, number),
            },
        };
        self.created(day, key)
    }

    /// The blobs with what came in time, in the order of what is in them.
    pub(super) fn soon<'a>(&self, day: &'a Day) -> impl Iterator<Item = Key> + use<'a> {
        let per_blob = self.per_blob();
        (0..QUARTERS).flat_map(move |quarter| {
            let count = day.starts[quarter + 1] - day.starts[quarter];
            (0..count.div_ceil(per_blob)).map(move |part| Key::Soon {
                day: day.number,
                quarter: u8::try_from(quarter).unwrap_or_default(),
                part,
            })
        })
    }

    /// The places of blobs with stragglers; some of them may have nothing in them, and are not there then.
    pub(super) fn straggling<'a>(&self, day: &'a Day) -> impl Iterator<Item = Key> + use<'a> {
        let parts = if day.count() == 0 { 0 } else { self.parts(day) };
        (0..=LONGEST).flat_map(move |after| {
            (0..parts).map(move |part| Key::Straggling {
                day: day.number,
                after,
                part,
            })
        })
    }

    /// Whether there is a blob of this key.
    pub(super) fn is_there(&self, day: &Day, key: Key) -> bool {
        match key {
            Key::Soon { quarter, .. } => usize::from(quarter) < QUARTERS && !self.range(day, key).is_empty(),
            Key::Straggling { after, part, .. } => {
                after <= LONGEST && day.count() > 0 && part < self.parts(day) && self.numbers(day, key).next().is_some()
            }
        }
    }
}
