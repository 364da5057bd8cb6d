//! Pages and the `Link` header that leads through them.

use std::{collections::HashMap, ops::Range};

use axum::{
    Json,
    extract::Query,
    http::{Uri, header::LINK},
    response::{IntoResponse, Response},
};
use serde::Serialize;

const MOST_PER_PAGE: usize = 100;

/// The page a request asks for. What GitHub cannot read, it takes for the default.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging {
    page: usize,
    per_page: usize,
}

impl Paging {
    pub(super) fn of(uri: &Uri, default: usize) -> Self {
        let query = Query::<HashMap<String, String>>::try_from_uri(uri)
            .map(|Query(query)| query)
            .unwrap_or_default();
        let number = |name: &str| query.get(name)?.parse().ok().filter(|number| *number > 0);
        Self {
            page: number("page").unwrap_or(1),
            per_page: number("per_page").unwrap_or(default).min(MOST_PER_PAGE),
        }
    }

    /// The part of a list that this page shows; nothing beyond its end.
    pub(super) fn range(self, items: usize) -> Range<usize> {
        let from = (self.page - 1).saturating_mul(self.per_page).min(items);
        from..from.saturating_add(self.per_page).min(items)
    }

    /// The places of this page in a list that is not at hand.
    pub(super) fn places(self) -> Range<usize> {
        let behind = self.page.saturating_mul(self.per_page);
        behind.saturating_sub(self.per_page)..behind
    }

    /// The page as an answer, with absolute links to its neighbours.
    pub(super) fn answer(self, base: &str, uri: &Uri, items: usize, body: &impl Serialize) -> Response {
        self.answer_within(base, uri, items, usize::MAX, body)
    }

    /// The same of a list of which only the first so many can be had: no link leads beyond them.
    pub(super) fn answer_within(
        self,
        base: &str,
        uri: &Uri,
        items: usize,
        most: usize,
        body: &impl Serialize,
    ) -> Response {
        let last = items.div_ceil(self.per_page).min(most / self.per_page).max(1);
        let (back, forth) = (self.page > 1, self.page < last);
        let links = [
            ("prev", self.page.saturating_sub(1).min(last), back),
            ("next", self.page.saturating_add(1), forth),
            ("last", last, forth),
            ("first", 1, back),
        ];
        let others = others(uri);
        let link = |(rel, page, shown): (&str, usize, bool)| {
            shown.then(|| {
                format!(
                    "<{base}{}?page={page}&per_page={}{others}>; rel=\"{rel}\"",
                    uri.path(),
                    self.per_page
                )
            })
        };
        let links: Vec<_> = links.into_iter().filter_map(link).collect();
        if links.is_empty() {
            return Json(body).into_response();
        }
        ([(LINK, links.join(", "))], Json(body)).into_response()
    }
}

/// What else was asked for, as it was written: a link leads through the same list.
fn others(uri: &Uri) -> String {
    let given = uri.query().unwrap_or_default().split('&');
    given
        .filter(|pair| !matches!(pair.split('=').next(), Some("page" | "per_page" | "")))
        .flat_map(|pair| ["&", pair])
        .collect()
}
