//! Lists that come in pages: each names the next by an opaque address.

use std::collections::HashSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use crate::error::ApiError;
use crate::http::Route;
use crate::origin::Origin;

/// A list that has more pages than this is a loop.
const MOST_PAGES: usize = 20_000;

/// A page as Graph sends it.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) value: Vec<Box<RawValue>>,
    #[serde(rename = "@odata.nextLink")]
    pub(super) next_link: Option<String>,
}

/// Where a list goes on, and where it has been, so that it ends.
#[derive(Clone)]
pub struct NextPage {
    url: Url,
    /// Digests of the addresses so far.
    seen: HashSet<u64>,
}

/// Without the address: it holds what is sent back to Graph as it came.
impl fmt::Debug for NextPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NextPage(number {})", self.seen.len())
    }
}

impl NextPage {
    /// A list's first page.
    pub(super) fn first(url: Url) -> Self {
        Self {
            seen: HashSet::from([digest(&url)]),
            url,
        }
    }

    pub(super) fn url(&self) -> Url {
        self.url.clone()
    }

    /// The page after this one by the link of this one. It must lie at home, where the credential may go, and the list
    /// must not have been there.
    pub(super) fn after(
        mut self,
        link: Option<String>,
        origin: &Origin,
        route: &Route,
    ) -> Result<Option<Self>, ApiError> {
        let contract = |reason: &str| ApiError::Contract {
            route: route.template,
            reason: reason.to_owned(),
        };
        let Some(link) = link.filter(|link| !link.is_empty()) else {
            return Ok(None);
        };
        let url = Url::parse(&link).map_err(|_| contract("a page links to what is not an address"))?;
        if !origin.owns(&url) {
            return Err(contract("a page links to another host; credentials stay here"));
        }
        if self.seen.len() >= MOST_PAGES {
            return Err(contract("the list does not end"));
        }
        if !self.seen.insert(digest(&url)) {
            return Err(contract("a page links back to an earlier one"));
        }
        self.url = url;
        Ok(Some(self))
    }
}

fn digest(url: &Url) -> u64 {
    let mut hasher = DefaultHasher::new();
    url.hash(&mut hasher);
    hasher.finish()
}
