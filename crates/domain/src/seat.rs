//! A Copilot seat as GitHub lists it, and the assignee that one or several seats add up to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

/// One grant of a Copilot seat to a person. A person granted through two teams or organisations has two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// GitHub's id of the person; survives a change of login.
    pub assignee_id: u64,
    /// The person's login.
    pub login: String,
    /// When this grant was made.
    pub created_at: Option<Timestamp>,
    /// Last Copilot activity GitHub knows of; `None` when there never was any.
    pub last_activity_at: Option<Timestamp>,
    /// The editor of that activity, as GitHub writes it: `editor/version/plugin/plugin version`.
    pub last_activity_editor: Option<String>,
    /// When this grant ends, if it is cancelled.
    pub pending_cancellation_on: Option<Date>,
    /// `business` or `enterprise`, as GitHub writes it.
    pub plan_type: Option<String>,
    /// Slug of the team the grant came through; `None` for a direct grant.
    pub team: Option<String>,
}

/// A person with a seat: all their grants in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignee {
    /// GitHub's id of the person.
    pub id: u64,
    /// The person's login.
    pub login: String,
    /// When the first grant was made.
    pub seat_created_at: Option<Timestamp>,
    /// The latest activity of any grant.
    pub last_activity_at: Option<Timestamp>,
    /// The editor of the latest activity.
    pub editor: Editor,
    /// The day the last grant ends; `None` as long as one grant goes on.
    pub pending_cancellation_on: Option<Date>,
    /// The plan of the latest activity's grant.
    pub plan_type: Option<String>,
    /// Slugs of the teams the grants came through; empty when all are direct.
    pub teams: BTreeSet<String>,
}

/// The parts of an editor string. A part GitHub leaves out is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Editor {
    /// Such as `vscode`.
    pub name: Option<String>,
    /// Such as `1.77.3`.
    pub version: Option<String>,
    /// Such as `copilot-chat`.
    pub plugin: Option<String>,
    /// Such as `0.42.1`; holds every further slash.
    pub plugin_version: Option<String>,
}

impl Editor {
    /// Splits `vscode/1.77.3/copilot/1.86.82`: three parts by position, the rest is the plugin version.
    pub fn split(text: &str) -> Self {
        let mut parts = text
            .splitn(4, '/')
            .map(|part| Some(part.trim().to_owned()).filter(|part| !part.is_empty()));
        let mut next = || parts.next().flatten();
        Self {
            name: next(),
            version: next(),
            plugin: next(),
            plugin_version: next(),
        }
    }
}

/// The slug without the `ent:` that some of GitHub's surfaces put before the slug of an enterprise team, so that one
/// team has one name.
pub fn team_slug(slug: &str) -> &str {
    slug.strip_prefix("ent:").unwrap_or(slug)
}

/// Which seats a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamFilter(BTreeSet<String>);

impl TeamFilter {
    /// Only seats granted through these teams; with no slug at all, every seat.
    pub fn new(slugs: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self(
            slugs
                .into_iter()
                .map(|slug| team_slug(slug.as_ref()).to_lowercase())
                .collect(),
        )
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the report takes this grant in. A direct grant is in only when nothing is filtered.
    pub fn takes(&self, seat: &Seat) -> bool {
        self.0.is_empty() || seat.team.as_ref().is_some_and(|team| self.0.contains(team))
    }

    /// Whether the report is about this team.
    pub fn takes_team(&self, slug: &str) -> bool {
        self.0.is_empty() || self.0.contains(slug)
    }

    /// Slugs that were asked for and that are not among `known`.
    pub fn unknown<'a>(&'a self, known: &'a BTreeSet<String>) -> impl Iterator<Item = &'a str> {
        self.0.difference(known).map(String::as_str)
    }
}

/// One assignee for each distinct id among the seats, in the order of their logins.
///
/// The latest activity wins, teams are united, and a cancellation counts only when no grant goes on.
pub fn assignees(seats: impl IntoIterator<Item = Seat>) -> Vec<Assignee> {
    let mut by_id: BTreeMap<u64, Vec<Seat>> = BTreeMap::new();
    for seat in seats {
        by_id.entry(seat.assignee_id).or_default().push(seat);
    }
    let mut assignees: Vec<Assignee> = by_id.into_values().filter_map(unite).collect();
    assignees.sort_by_cached_key(|assignee| (assignee.login.to_lowercase(), assignee.id));
    assignees
}

fn unite(mut grants: Vec<Seat>) -> Option<Assignee> {
    // GitHub promises no order; with one of our own, the same grants give the same row however they were listed.
    grants.sort_by(|a, b| {
        (
            b.last_activity_at,
            &b.last_activity_editor,
            b.created_at,
            &b.login,
            &b.plan_type,
        )
            .cmp(&(
                a.last_activity_at,
                &a.last_activity_editor,
                a.created_at,
                &a.login,
                &a.plan_type,
            ))
    });
    let latest = grants.first()?;
    Some(Assignee {
        id: latest.assignee_id,
        login: latest.login.clone(),
        seat_created_at: grants.iter().filter_map(|seat| seat.created_at).min(),
        last_activity_at: latest.last_activity_at,
        editor: latest
            .last_activity_editor
            .as_deref()
            .map(Editor::split)
            .unwrap_or_default(),
        pending_cancellation_on: grants
            .iter()
            .map(|seat| seat.pending_cancellation_on)
            .collect::<Option<Vec<Date>>>()
            .and_then(|days| days.into_iter().max()),
        plan_type: latest.plan_type.clone(),
        teams: grants.iter().filter_map(|seat| seat.team.clone()).collect(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    pub(crate) fn seat(id: u64) -> Seat {
        Seat {
            assignee_id: id,
            login: format!("octocat-{id}"),
            created_at: None,
            last_activity_at: None,
            last_activity_editor: None,
            pending_cancellation_on: None,
            plan_type: None,
            team: None,
        }
    }

    fn editor(name: &str, version: &str, plugin: &str, plugin_version: &str) -> Editor {
        let part = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Editor {
            name: part(name),
            version: part(version),
            plugin: part(plugin),
            plugin_version: part(plugin_version),
        }
    }

    #[test]
    fn an_editor_string_splits_by_position() {
        for (text, expected) in [
            (
                "vscode/1.77.3/copilot/1.86.82",
                editor("vscode", "1.77.3", "copilot", "1.86.82"),
            ),
            ("vscode/1.77.3/copilot", editor("vscode", "1.77.3", "copilot", "")),
            ("copilot-cli", editor("copilot-cli", "", "", "")),
            ("a/b/c/d/e", editor("a", "b", "c", "d/e")),
            ("vscode//copilot/", editor("vscode", "", "copilot", "")),
            ("", editor("", "", "", "")),
        ] {
            assert_eq!(Editor::split(text), expected, "{text:?}");
        }
    }

    #[test]
    fn several_grants_are_one_assignee_with_the_latest_activity() {
        let earlier: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
        let listed = vec![
            Seat {
                last_activity_at: Some(earlier),
                last_activity_editor: Some("vim/9".into()),
                created_at: Some(earlier),
                team: Some("red".into()),
                ..seat(1)
            },
            Seat {
                last_activity_at: Some(later),
                last_activity_editor: Some("vscode/1".into()),
                created_at: Some(later),
                team: Some("blue".into()),
                ..seat(1)
            },
            seat(1),
        ];
        let [assignee] = assignees(listed).try_into().unwrap();
        assert_eq!(assignee.last_activity_at, Some(later));
        assert_eq!(assignee.editor.name.as_deref(), Some("vscode"));
        assert_eq!(assignee.seat_created_at, Some(earlier));
        assert_eq!(assignee.teams, BTreeSet::from(["blue".to_owned(), "red".to_owned()]));
    }

    #[test]
    fn a_cancellation_counts_only_when_no_grant_goes_on() {
        let ending = |day| Seat {
            pending_cancellation_on: Some(day),
            ..seat(1)
        };
        let (first, last) = (date(2026, 12, 1), date(2026, 12, 9));
        assert_eq!(
            assignees([ending(first), ending(last)])[0].pending_cancellation_on,
            Some(last)
        );
        assert_eq!(assignees([ending(first), seat(1)])[0].pending_cancellation_on, None);
    }

    #[test]
    fn a_filter_takes_named_teams_and_no_direct_grant() {
        let in_team = |slug: &str| Seat {
            team: Some(slug.into()),
            ..seat(1)
        };
        let all = TeamFilter::new([""; 0]);
        let red = TeamFilter::new(["ent:Red"]);
        assert!(all.takes(&seat(1)) && all.takes(&in_team("blue")));
        assert!(red.takes(&in_team("red")) && !red.takes(&in_team("blue")) && !red.takes(&seat(1)));
        assert_eq!(
            red.unknown(&BTreeSet::from(["blue".to_owned()])).collect::<Vec<_>>(),
            ["red"]
        );
    }

    proptest! {
        #[test]
        fn the_order_of_the_list_does_not_matter(
            rows in proptest::collection::vec((0_u64..6, 0_i64..5, 0_usize..3, any::<bool>()), 0..24),
            seed in any::<u64>(),
        ) {
            let listed: Vec<Seat> = rows.iter().map(|(id, activity, team, ending)| Seat {
                last_activity_at: (*activity > 0).then(|| Timestamp::from_second(*activity).unwrap()),
                last_activity_editor: (*activity > 1).then(|| format!("editor-{team}/1")),
                team: ["red", "blue"].get(*team).map(|slug| (*slug).to_owned()),
                pending_cancellation_on: ending.then(|| date(2026, 12, 1)),
                ..seat(*id)
            }).collect();
            let mut shuffled = listed.clone();
            if !shuffled.is_empty() {
                let middle = usize::try_from(seed % shuffled.len() as u64).unwrap();
                shuffled.rotate_left(middle);
                shuffled.reverse();
            }
            let ids: BTreeSet<u64> = listed.iter().map(|seat| seat.assignee_id).collect();
            let united = assignees(listed);
            prop_assert_eq!(united.len(), ids.len());
            prop_assert_eq!(united, assignees(shuffled));
        }
    }
}
