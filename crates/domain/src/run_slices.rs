//! Slices of creation time that GitHub lists whole: it shows the first thousand results of a filter and no more.

use jiff::{SignedDuration, Timestamp};

use crate::calendar::{Window, to_seconds};

/// Results of a filtered list that can be had (docs.github.com, "List workflow runs for a repository", read 2026-11-22:
/// "This endpoint will return up to 1,000 results for each search"). Of a list that says it holds so many nobody knows
/// whether it holds more.
pub const MOST_LISTED: u64 = 1_000;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// A stretch of whole seconds with both its ends, as GitHub's `created` filter has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// First second.
    pub from: Timestamp,
    /// Last second.
    pub to: Timestamp,
}

impl Slice {
    /// The seconds that begin in the window; `None` if there are none.
    pub fn of(window: Window) -> Option<Self> {
        let to = window.to - SECOND;
        (window.from <= to).then_some(Self { from: window.from, to })
    }

    /// Both halves, the later one first as GitHub lists; `None` for a single second.
    pub fn halves(self) -> Option<[Self; 2]> {
        let seconds = self.to.duration_since(self.from).as_secs();
        (seconds > 0).then(|| {
            let middle = self.from + SignedDuration::from_secs(seconds / 2);
            [
                Self {
                    from: middle + SECOND,
                    ..self
                },
                Self { to: middle, ..self },
            ]
        })
    }

    /// The value of the `created` parameter.
    pub fn created(self) -> String {
        format!("{}..{}", to_seconds(self.from), to_seconds(self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_slice_holds_the_seconds_of_its_window() {
        let window = |from, to| Window {
            from: at(from),
            to: at(to),
        };
        assert_eq!(Slice::of(window(0, 0)), None);
        let slice = Slice::of(window(0, 3600)).unwrap();
        assert_eq!(slice.created(), "2023-11-14T22:13:20Z..2023-11-14T23:13:19Z");
        assert_eq!(
            Slice::of(window(0, 1)).unwrap().halves(),
            None,
            "a second cannot be cut"
        );
    }

    proptest! {
        #[test]
        fn halves_cover_every_second_once(from in 0_i64..1_000, seconds in 1_i64..100_000) {
            let slice = Slice { from: at(from), to: at(from + seconds) };
            let [later, earlier] = slice.halves().unwrap();
            prop_assert_eq!(earlier.from, slice.from);
            prop_assert_eq!(later.to, slice.to);
            prop_assert_eq!(earlier.to + SECOND, later.from);
            prop_assert!(earlier.from <= earlier.to && later.from <= later.to);
        }
    }
}
