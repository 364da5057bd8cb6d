//! Who is excluded: the list as it lies in the store or in SharePoint, read before anything of anybody is written.
//!
//! A list that cannot be read stops whoever needs it: that nobody is on it is never assumed.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uptake_domain::exclusions::{ExclusionList, text_mentions};
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
                let names = if let Some(cached) = cached.filter(is_good) {
                    cached.names
                } else {
                    let names = graph.list_items(site_id, list_id, field, deadline).await?;
                    let cached = Cached {
                        read_at: now,
                        list,
                        names,
                    };
                    state::write(ports.files, CACHE_KEY, &cached).await?;
                    cached.names
                };
                ExclusionList::of(names).map_err(|fault| PipelineError::Exclusions {
                    place: "the SharePoint list that UPTAKE_EXCLUSION_LIST_ID names".to_owned(),
                    fault,
                })
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

impl Known {
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
    /// Every name of theirs.
    names: HashSet<String>,
}

impl Excluded {
    pub(crate) fn among(people: &People, list: ExclusionList) -> Self {
        let users: Vec<_> = people.users.values().filter(|user| list.means(user)).collect();
        let mut names: HashSet<String> = list.names().map(str::to_owned).collect();
        for user in &users {
            names.insert(user.upn.clone());
            names.extend(user.former_upns.iter().cloned());
        }
        Self {
            list,
            user_ids: users.into_iter().map(|user| user.user_id.clone()).collect(),
            names,
        }
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

    /// Every name of theirs.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Those of the directory.
    pub(crate) fn user_ids(&self) -> impl Iterator<Item = &str> {
        self.user_ids.iter().map(String::as_str)
    }
}
