//! Pages already read: an unchanged page answers 304 with no body and costs nothing of the primary limit.

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
    /// Asked for since the cache was opened. What was not is a page that no longer exists.
    used: bool,
}

#[derive(Serialize, Deserialize)]
struct Line {
    url: String,
    etag: String,
    link: Option<String>,
    body: String,
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
                used: false,
            };
            pages.insert(line.url, page);
        }
        Ok(Self { pages })
    }

    /// The pages as compressed JSON lines: all of them, or `only_used`, those that were asked for since
    /// [`PageCache::decode`]. After a list that was cut short, the pages not reached are still worth keeping.
    pub fn encode(&self, only_used: bool) -> io::Result<Vec<u8>> {
        let mut lines = BufWriter::new(zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL)?);
        for (url, page) in self.pages.iter().filter(|(_, page)| page.used || !only_used) {
            let body = zstd::decode_all(page.compressed.as_slice())?;
            let line = Line {
                url: url.clone(),
                etag: page.etag.clone(),
                link: page.link.clone(),
                body: String::from_utf8(body).map_err(io::Error::other)?,
            };
            serde_json::to_writer(&mut lines, &line)?;
            lines.write_all(b"\n")?;
        }
        lines.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
    }

    pub(super) fn etag(&mut self, url: &str) -> Option<String> {
        let page = self.pages.get_mut(url)?;
        page.used = true;
        Some(page.etag.clone())
    }

    pub(super) fn page(&self, url: &str) -> io::Result<Answer> {
        let page = self.pages.get(url).ok_or(io::ErrorKind::NotFound)?;
        Ok(Answer {
            body: zstd::decode_all(page.compressed.as_slice())?.into(),
            link: page.link.clone(),
        })
    }

    pub(super) fn keep(&mut self, url: &str, etag: String, answer: &Answer) -> io::Result<()> {
        let page = Page {
            etag,
            link: answer.link.clone(),
            compressed: zstd::bulk::compress(&answer.body, COMPRESSION_LEVEL)?,
            used: true,
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
        let page = |body: &'static str| Answer {
            body: body.into(),
            link: Some("<u2>; rel=\"next\"".into()),
        };
        cache.keep("u1", "\"e1\"".into(), &page(body)).unwrap();
        cache.keep("u2", "\"e2\"".into(), &page("[]")).unwrap();
        let mut cache = PageCache::decode(&cache.encode(true).unwrap()).unwrap();
        assert_eq!(cache.etag("u1").as_deref(), Some("\"e1\""));
        assert_eq!(cache.page("u1").unwrap().body, body);
        assert_eq!(cache.etag("u3"), None);
        assert!(
            PageCache::decode(&cache.encode(false).unwrap())
                .unwrap()
                .page("u2")
                .is_ok()
        );
        let cache = PageCache::decode(&cache.encode(true).unwrap()).unwrap();
        assert!(cache.page("u1").is_ok());
        assert!(cache.page("u2").is_err(), "u2 was not asked for");
    }

    #[test]
    fn a_damaged_cache_is_an_error_and_no_panic() {
        assert!(PageCache::decode(b"not zstd").is_err());
    }
}
