//! Who is excluded: the list as it lies in the store or in SharePoint, read before anything of anybody is written.
//!
//! A list that cannot be read stops whoever needs it: that nobody is on it is never assumed.

use std::collections::HashSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uptake_domain::exclusions::{ExclusionList, text_mentions};
use uptake_domain::known_user::KnownUser;
use uptake_lake::Lake;
use uptake_upstream::clock::Deadline;
use uptake_upstream::http::CallRecord;
use uptake_upstream::microsoft::Graph;

use crate::outcome::PipelineError;
use crate::people::People;
use crate::ports::{Files, PortError, Ports};
use crate::state;

/// Where the list lies, with what it takes to read it there.
pub enum Exclusions {
    /// A JSON list in the store.
    File {
        /// Its key.
        key: String,
        /// Whether somebody named it: then it has to be there.
        is_named: bool,
    },
    /// A SharePoint list.
    SharePoint {
        /// Who reads it.
        graph: Box<Graph>,
        /// The site's id.
        site_id: String,
        /// The list's id.
        list_id: String,
        /// The column with the user principal names.
        field: String,
        /// How long it is believed.
        ttl: SignedDuration,
    },
}

/// What was last read from SharePoint.
const CACHE_KEY: &str = "state/exclusions.json";

#[derive(Serialize, Deserialize)]
struct Cached {
    read_at: Timestamp,
    /// Which list it was.
    list: String,
    names: Vec<String>,
}

/// Forgets what was read from SharePoint, so that the next function reads it anew.
pub async fn refresh(files: &dyn Files) -> Result<(), PipelineError> {
    Ok(files.delete(CACHE_KEY).await?)
}

/// How many names are on the list, and how many people of the directory are meant by them.
pub async fn census(
    exclusions: &Exclusions,
    lake: &Lake,
    ports: Ports<'_>,
    deadline: Deadline,
) -> Result<(usize, usize), PipelineError> {
    let list = exclusions.read(ports, deadline).await?;
    let names = list.names().count();
    let people = People::read(lake).await?;
    Ok((names, Excluded::among(&people, list).user_ids().count()))
}

impl Exclusions {
    /// The list.
    pub async fn read(&self, ports: Ports<'_>, deadline: Deadline) -> Result<ExclusionList, PipelineError> {
        match self {
            Self::File { key, is_named } => read_file(ports.files, key, *is_named).await,
            Self::SharePoint {
                graph,
                site_id,
                list_id,
                field,
                ttl,
            } => {
                let list = format!("{site_id}/{list_id}/{field}");
                let now = ports.clock.now();
                let cached: Option<Cached> = state::read(ports.files, CACHE_KEY).await?;
                let is_good = |cached: &Cached| cached.list == list && now.duration_since(cached.read_at).abs() < *ttl;
                let usable = |names: Vec<String>| {
                    ExclusionList::of(names).map_err(|fault| PipelineError::Exclusions {
                        place: "the SharePoint list that UPTAKE_EXCLUSION_LIST_ID names".to_owned(),
                        fault,
                    })
                };
                if let Some(cached) = cached.filter(is_good) {
                    return usable(cached.names);
                }
                let names = graph.list_items(site_id, list_id, field, deadline).await?;
                // Kept before it is found usable, a list that was set right would be refused until it is read again.
                let usable = usable(names.clone())?;
                let cached = Cached {
                    read_at: now,
                    list,
                    names,
                };
                state::write(ports.files, CACHE_KEY, &cached).await?;
                Ok(usable)
            }
        }
    }

    /// The calls that reading it took since this was last asked.
    pub(crate) fn take_calls(&self) -> Vec<CallRecord> {
        match self {
            Self::File { .. } => Vec::new(),
            Self::SharePoint { graph, .. } => graph.take_calls(),
        }
    }
}

async fn read_file(files: &dyn Files, key: &str, is_named: bool) -> Result<ExclusionList, PipelineError> {
    let Some(file) = files.read(key).await? else {
        if is_named {
            return Err(PipelineError::Port(PortError::Missing {
                what: format!("the list of excluded people, {key} in the store,"),
                remedy: "put it there, or unset UPTAKE_EXCLUSIONS if nobody is excluded".to_owned(),
            }));
        }
        return Ok(ExclusionList::default());
    };
    ExclusionList::parse(&file.bytes).map_err(|fault| PipelineError::Exclusions {
        place: key.to_owned(),
        fault,
    })
}

/// Who is known, and who of them is excluded.
pub(crate) struct Known {
    pub(crate) people: People,
    pub(crate) excluded: Excluded,
}

/// Why nothing is recorded of anybody while [`Known::is_blind`].
pub(crate) const WITHOUT_DIRECTORY: &str = "there is a list of excluded people, and nothing of the directory is stored yet to tell whose mail addresses and former names are on it; collect m365-usage first";

impl Known {
    /// Whether there are excluded people and no directory to find them in. A list may have mail addresses, which an audit
    /// record has not; nothing tells a mail address from a user principal name.
    pub(crate) fn is_blind(&self) -> bool {
        !self.excluded.is_empty() && self.people.users.is_empty()
    }

    pub(crate) fn of(people: People, list: ExclusionList) -> Self {
        Self {
            excluded: Excluded::among(&people, list),
            people,
        }
    }
}

/// Who is excluded, among those who are known and by name.
pub(crate) struct Excluded {
    list: ExclusionList,
    user_ids: HashSet<String>,
    /// Every name of theirs that is nobody else's by now.
    names: HashSet<String>,
}

impl Excluded {
    /// Everybody whom the list means.
    pub(crate) fn among(people: &People, list: ExclusionList) -> Self {
        let user_ids = people.users.values().filter(|user| list.means(user));
        let user_ids = user_ids.map(|user| user.user_id.clone()).collect();
        Self::of(people, list, user_ids, Date::MAX)
    }

    /// Whoever has a name, or else everybody who had it or gets mail by it, by the names that mean them on a day.
    pub(crate) fn called(people: &People, name: &ExclusionList, day: Date) -> Self {
        let holders = people.by_upn(Date::MAX);
        let holder = name.names().find_map(|name| {
            let holder = people.users.get(*holders.get(name)?)?;
            (holder.upn == name).then_some(&holder.user_id)
        });
        let is_called = |user: &&KnownUser| holder.map_or_else(|| name.means(user), |holder| user.user_id == *holder);
        let user_ids = people.users.values().filter(is_called);
        let user_ids = user_ids.map(|user| user.user_id.clone()).collect();
        Self::of(people, name.clone(), user_ids, day)
    }

    /// These people by the names that mean them on a day. One that another person has by then is that person's.
    fn of(people: &People, list: ExclusionList, user_ids: HashSet<String>, day: Date) -> Self {
        let mut names = HashSet::new();
        if !list.is_empty() {
            let holders = people.by_upn(day);
            let is_theirs = |name: &str| holders.get(name).is_none_or(|holder| user_ids.contains(*holder));
            // Who merely had a name as well does not have it; whose a record of it is, nobody can tell.
            let is_nobodys = |name: &str| {
                let holder = holders.get(name).and_then(|holder| people.users.get(*holder));
                holder.is_none_or(|holder| holder.upn != name)
            };
            names.extend(list.names().filter(|name| is_theirs(name)).map(str::to_owned));
            for user in user_ids.iter().filter_map(|user_id| people.users.get(user_id)) {
                let was_there = user.first_seen_on <= day;
                let own = std::iter::once(&user.upn).chain(&user.former_upns);
                names.extend(
                    own.filter(|name| is_theirs(name) || (was_there && is_nobodys(name)))
                        .cloned(),
                );
            }
        }
        Self { list, user_ids, names }
    }

    /// Those on the list, of a directory that knows nobody.
    #[cfg(test)]
    pub(crate) fn by_name(list: ExclusionList) -> Self {
        Self {
            names: list.names().map(str::to_owned).collect(),
            user_ids: HashSet::new(),
            list,
        }
    }

    /// Whether nobody is.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether somebody of the directory is.
    pub(crate) fn has_user(&self, user_id: &str) -> bool {
        self.user_ids.contains(user_id)
    }

    /// Whether a user principal name, in lower case, is that of somebody who is.
    pub(crate) fn has_name(&self, upn: &str) -> bool {
        self.names.contains(upn)
    }

    /// Whether bytes that cannot be read hold such a name somewhere.
    pub(crate) fn is_named_in(&self, bytes: &[u8]) -> bool {
        text_mentions(&String::from_utf8_lossy(bytes), &|name| self.has_name(name))
    }

    /// Every name of theirs that is nobody else's by now.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Those of the directory.
    pub(crate) fn user_ids(&self) -> impl Iterator<Item = &str> {
        self.user_ids.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn user(user_id: &str, upn: &str, former_upns: &[&str], first_seen_on: Date) -> KnownUser {
        KnownUser {
            user_id: user_id.to_owned(),
            upn: upn.to_owned(),
            former_upns: former_upns.iter().map(|upn| (*upn).to_owned()).collect(),
            first_upn: former_upns.first().map(|upn| (*upn).to_owned()),
            display_name: None,
            mail: None,
            department: None,
            job_title: None,
            company_name: None,
            office_location: None,
            account_enabled: true,
            departed: false,
            departed_on: None,
            first_seen_on,
            last_seen_on: date(2026, 11, 20),
        }
    }

    fn list(name: &str) -> ExclusionList {
        ExclusionList::of([name.to_owned()]).unwrap()
    }

    /// Ann has married, and another Ann has come and got the name.
    fn two_of_a_name() -> People {
        People::of([
            user("married", "ann.new@x", &["ann@x"], date(2026, 1, 1)),
            user("newcomer", "ann@x", &[], date(2026, 11, 1)),
        ])
    }

    #[test]
    fn a_name_that_somebody_else_has_now_is_not_of_whoever_had_it() {
        let people = two_of_a_name();
        let excluded = Excluded::among(&people, list("ann.new@x"));
        assert!(excluded.has_user("married") && !excluded.has_user("newcomer"));
        assert!(excluded.has_name("ann.new@x") && !excluded.has_name("ann@x"));
        assert!(!excluded.is_named_in(b"ann@x"));
        // A name on the list itself means everybody who has or had it.
        let excluded = Excluded::among(&people, list("ann@x"));
        assert!(excluded.has_user("married") && excluded.has_user("newcomer"));
        assert!(excluded.has_name("ann.new@x") && excluded.has_name("ann@x"));
    }

    #[test]
    fn a_name_that_two_have_left_behind_is_of_whoever_is_excluded() {
        let first = user("first", "first@x", &["ann@x"], date(2026, 1, 1));
        let second = user("second", "second@x", &["ann@x"], date(2026, 6, 1));
        for name in ["first@x", "second@x"] {
            let people = People::of([first.clone(), second.clone()]);
            assert!(Excluded::among(&people, list(name)).has_name("ann@x"), "{name}");
        }
    }

    #[test]
    fn the_name_of_somebody_who_left_is_of_whoever_has_it_now() {
        let gone = KnownUser {
            mail: Some("ann.mail@x".to_owned()),
            ..user("gone", "ann@x", &[], date(2026, 1, 1)).gone(date(2026, 10, 1))
        };
        let people = People::of([gone, user("newcomer", "ann@x", &[], date(2026, 11, 1))]);
        let excluded = Excluded::among(&people, list("ann.mail@x"));
        assert!(excluded.has_user("gone") && !excluded.has_user("newcomer"));
        assert!(!excluded.has_name("ann@x"));
    }

    #[test]
    fn who_is_called_by_a_name_is_who_has_it_and_each_day_has_its_own() {
        let people = two_of_a_name();
        let of = |name: &str, day| {
            let called = Excluded::called(&people, &list(name), day);
            let mut ids: Vec<String> = called.user_ids().map(str::to_owned).collect();
            ids.sort_unstable();
            (ids.join(" "), called.has_name("ann@x"))
        };
        let before = date(2026, 10, 31);
        assert_eq!(of("ann@x", Date::MAX), ("newcomer".to_owned(), true));
        assert_eq!(of("ann@x", before), ("newcomer".to_owned(), false));
        assert_eq!(of("ann.new@x", Date::MAX), ("married".to_owned(), false));
        assert_eq!(of("ann.new@x", before), ("married".to_owned(), true));
        assert_eq!(of("nobody@x", Date::MAX), (String::new(), false));
    }
}
