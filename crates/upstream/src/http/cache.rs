//! Pages already read: an unchanged page answers 304 with no body and costs nothing of the primary limit.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use serde::{Deserialize, Serialize};

use crate::http::Answer;

/// Level 1: the pages of a day are written once and read once, so speed counts more than size.
const COMPRESSION_LEVEL: i32 = 1;

/// Pages by address, each compressed: the simulator's 50,000 seats are 93 MB of JSON and 5 MB in here.
#[derive(Debug, Default)]
pub struct PageCache {
    pages: HashMap<String, Page>,
}

#[derive(Debug)]
struct Page {
    etag: String,
    link: Option<String>,
    compressed: Vec<u8>,
    /// How often the cache was kept since the page was last asked for. At some point it is a page that no longer exists.
    unused_for: u32,
}

#[derive(Serialize, Deserialize)]
struct Line {
    url: String,
    etag: String,
    link: Option<String>,
    body: String,
    #[serde(default)]
    unused_for: u32,
}

impl PageCache {
    /// Reads what [`PageCache::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> io::Result<Self> {
        let mut pages = HashMap::new();
        for line in BufReader::new(zstd::Decoder::new(bytes)?).lines() {
            let line: Line = serde_json::from_str(&line?)?;
            let page = Page {
                etag: line.etag,
                link: line.link,
                compressed: zstd::bulk::compress(line.body.as_bytes(), COMPRESSION_LEVEL)?,
                unused_for: line.unused_for.saturating_add(1),
            };
            pages.insert(line.url, page);
        }
        Ok(Self { pages })
    }

    /// The pages as compressed JSON lines, without those that were not asked for in more than so many turns of
    /// [`PageCache::decode`] and back. After a list that was cut short, the pages not reached are still worth keeping.
    pub fn encode(&self, unused_for_at_most: u32) -> io::Result<Vec<u8>> {
        let mut lines = BufWriter::new(zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL)?);
        for (url, page) in self
            .pages
            .iter()
            .filter(|(_, page)| page.unused_for <= unused_for_at_most)
        {
            let body = zstd::decode_all(page.compressed.as_slice())?;
            let line = Line {
                url: url.clone(),
                etag: page.etag.clone(),
                link: page.link.clone(),
                body: String::from_utf8(body).map_err(io::Error::other)?,
                unused_for: page.unused_for,
            };
            serde_json::to_writer(&mut lines, &line)?;
            lines.write_all(b"\n")?;
        }
        lines.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
    }

    pub(super) fn etag(&mut self, url: &str) -> Option<String> {
        let page = self.pages.get_mut(url)?;
        page.unused_for = 0;
        Some(page.etag.clone())
    }

    pub(super) fn page(&self, url: &str) -> io::Result<Answer> {
        let page = self.pages.get(url).ok_or(io::ErrorKind::NotFound)?;
        Ok(Answer {
            body: zstd::decode_all(page.compressed.as_slice())?.into(),
            link: page.link.clone(),
            next_page_uri: None,
            is_unchanged: true,
            records: Cell::default(),
        })
    }

    pub(super) fn keep(&mut self, url: &str, etag: String, link: Option<String>, body: &[u8]) -> io::Result<()> {
        let page = Page {
            etag,
            link,
            compressed: zstd::bulk::compress(body, COMPRESSION_LEVEL)?,
            unused_for: 0,
        };
        self.pages.insert(url.to_owned(), page);
        Ok(())
    }

    pub(super) fn forget(&mut self, url: &str) {
        self.pages.remove(url);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_survive_storage_and_forgotten_ones_do_not() {
        let mut cache = PageCache::default();
        let body = "{\n \"seats\": [\"ö\"]\n}";
        let link = || Some("<u2>; rel=\"next\"".to_owned());
        cache.keep("u1", "\"e1\"".into(), link(), body.as_bytes()).unwrap();
        cache.keep("u2", "\"e2\"".into(), link(), b"[]").unwrap();
        let mut cache = PageCache::decode(&cache.encode(0).unwrap()).unwrap();
        assert_eq!(cache.etag("u1").as_deref(), Some("\"e1\""));
        assert_eq!(cache.page("u1").unwrap().body, body);
        assert_eq!(cache.etag("u3"), None);
        assert!(PageCache::decode(&cache.encode(1).unwrap()).unwrap().page("u2").is_ok());
        let cache = PageCache::decode(&cache.encode(0).unwrap()).unwrap();
        assert!(cache.page("u1").is_ok());
        assert!(cache.page("u2").is_err(), "u2 was not asked for");
    }

    #[test]
    fn a_damaged_cache_is_an_error_and_no_panic() {
        assert!(PageCache::decode(b"not zstd").is_err());
    }
}
