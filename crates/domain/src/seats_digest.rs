//! What the mail says about a report of seats: the figures that matter, against the report before it.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::groups::NONE;
use crate::seat_figures::{SeatFigures, SeatSummary};

/// Rows of a table in the mail; the rest is in the attached report.
pub const MOST_ROWS: usize = 10;

/// The content of a mail, before any markup.
#[derive(Debug, PartialEq, Eq)]
pub struct SeatsDigest {
    /// The day of the report compared with.
    pub compared_with: Option<Date>,
    /// The headline figures.
    pub tiles: Vec<Tile>,
    /// Teams by size.
    pub teams: Bars,
    /// Editors by size.
    pub editors: Bars,
}

/// One headline figure.
#[derive(Debug, PartialEq, Eq)]
pub struct Tile {
    /// What it counts.
    pub label: &'static str,
    /// The count.
    pub value: u64,
    /// Its part of all seats, in percent; `None` for the seats themselves and when there are none.
    pub share: Option<u64>,
    /// The count less the one before; `None` without a report before.
    pub change: Option<i64>,
}

impl Tile {
    /// The change as a reader likes it: `+3`, `−2`, `no change`, or nothing where there is nothing to compare with.
    pub fn change_text(&self) -> String {
        match self.change {
            None => String::new(),
            Some(0) => "no change".to_owned(),
            Some(change @ 1..) => format!("+{change}"),
            Some(change) => format!("\u{2212}{}", change.unsigned_abs()),
        }
    }
}

/// Groups with the share of their seats that is in use.
#[derive(Debug, PartialEq, Eq)]
pub struct Bars {
    /// The largest groups.
    pub rows: Vec<Bar>,
    /// How many groups are not among the rows.
    pub omitted: usize,
}

/// One group.
#[derive(Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Seats in it.
    pub seats: u64,
    /// Of those, active in 28 days.
    pub active: u64,
    /// Active seats in percent of its seats.
    pub percent: u64,
}

/// Says what there is to say about a summary, compared with the one before if there is one.
pub fn digest(now: &SeatSummary, before: Option<(Date, &SeatSummary)>) -> SeatsDigest {
    let tile = |label, figure: fn(&SeatFigures) -> u64| {
        let value = figure(&now.overall);
        Tile {
            label,
            value,
            share: (label != SEATS).then(|| percent(value, now.overall.seats)).flatten(),
            change: before.map(|(_, before)| value.cast_signed() - figure(&before.overall).cast_signed()),
        }
    };
    SeatsDigest {
        compared_with: before.map(|(day, _)| day),
        tiles: vec![
            tile(SEATS, |figures| figures.seats),
            tile("Active in 7 days", |figures| figures.active_7_days),
            tile("Active in 28 days", |figures| figures.active_28_days),
            tile("Idle for 28 days", |figures| figures.idle),
            tile("Never used", |figures| figures.never_used),
            tile("Ending this cycle", |figures| figures.pending_cancellation),
        ],
        teams: bars(&now.teams, "(no team)"),
        editors: bars(&now.editors, "(no editor known)"),
    }
}

const SEATS: &str = "People with a seat";

fn bars(groups: &BTreeMap<String, SeatFigures>, name_of_none: &str) -> Bars {
    let mut rows: Vec<Bar> = groups
        .iter()
        .filter_map(|(name, figures)| {
            Some(Bar {
                name: if name == NONE {
                    name_of_none.to_owned()
                } else {
                    name.clone()
                },
                seats: figures.seats,
                active: figures.active_28_days,
                percent: percent(figures.active_28_days, figures.seats)?,
            })
        })
        .collect();
    rows.sort_by(|a, b| b.seats.cmp(&a.seats).then_with(|| a.name.cmp(&b.name)));
    let omitted = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    Bars { rows, omitted }
}

/// The part in percent, halves up; nothing when there is no whole.
fn percent(part: u64, whole: u64) -> Option<u64> {
    (part * 200 + whole).checked_div(whole * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn figures(seats: u64, active_28_days: u64) -> SeatFigures {
        SeatFigures {
            seats,
            active_28_days,
            ..SeatFigures::default()
        }
    }

    fn summary(overall: SeatFigures, teams: &[(&str, SeatFigures)]) -> SeatSummary {
        SeatSummary {
            overall,
            teams: teams
                .iter()
                .map(|(name, figures)| ((*name).to_owned(), *figures))
                .collect(),
            editors: BTreeMap::new(),
        }
    }

    #[test]
    fn tiles_compare_with_the_report_before() {
        let before = summary(figures(10, 6), &[]);
        let told = digest(&summary(figures(12, 5), &[]), Some((date(2026, 11, 19), &before)));
        assert_eq!(told.compared_with, Some(date(2026, 11, 19)));
        let texts: Vec<_> = told
            .tiles
            .iter()
            .map(|tile| (tile.value, tile.share, tile.change_text()))
            .collect();
        assert_eq!(texts[0], (12, None, "+2".into()));
        assert_eq!(texts[2], (5, Some(42), "\u{2212}1".into()));
        assert_eq!(texts[3], (0, Some(0), "no change".into()));
    }

    #[test]
    fn a_first_report_has_nothing_to_compare_with() {
        let told = digest(&summary(figures(0, 0), &[]), None);
        assert_eq!(told.compared_with, None);
        assert_eq!(told.tiles[0].change_text(), "");
        assert_eq!(told.tiles[1].share, None, "no share of nothing");
    }

    #[test]
    fn the_largest_groups_come_first_and_the_rest_is_counted() {
        let teams: Vec<(String, SeatFigures)> = (1..=15)
            .map(|size| (format!("team-{size}"), figures(size, size / 2)))
            .collect();
        let teams: Vec<(&str, SeatFigures)> = teams.iter().map(|(name, figures)| (name.as_str(), *figures)).collect();
        let mut all = teams.clone();
        all.push(("empty", figures(0, 0)));
        let bars = digest(&summary(figures(120, 56), &all), None).teams;
        assert_eq!(bars.rows.len(), MOST_ROWS);
        assert_eq!(bars.omitted, 5);
        assert_eq!((bars.rows[0].name.as_str(), bars.rows[0].percent), ("team-15", 47));
    }

    #[test]
    fn halves_round_up() {
        for (part, whole, expected) in [(1, 200, Some(1)), (1, 201, Some(0)), (1, 1, Some(100)), (0, 0, None)] {
            assert_eq!(percent(part, whole), expected, "{part} of {whole}");
        }
    }
}
