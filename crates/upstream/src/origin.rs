//! The one place credentials may go: a scheme and a host.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Scheme, host and port of an upstream, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Url);

/// Why an address cannot be an upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It is no address.
    #[error("not an address ({0}); write it like https://api.github.com")]
    NotAnAddress(String),
    /// It has more than a scheme and a host.
    #[error("must be a scheme and a host only, like https://api.github.com")]
    MoreThanAHost,
    /// It would send credentials in the clear.
    #[error(
        "must begin with https://; plain HTTP is accepted on loopback only, because credentials would travel in the clear"
    )]
    PlainHttp,
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|error| OriginError::NotAnAddress(error.to_string()))?;
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.scheme() {
            _ if !bare => Err(OriginError::MoreThanAHost),
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            _ => Err(OriginError::PlainHttp),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl Origin {
    /// The address of a path at this origin. Each segment is escaped, so that a slug cannot lead elsewhere.
    pub fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(segments);
        }
        url
    }

    /// Whether it lies on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Whether an address that an answer gave lies here, so that credentials may go to it.
    pub fn owns(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// Whether a download that this upstream points to may be fetched there: in the clear only where all of it stays on
    /// this machine.
    pub fn trusts_download(&self, url: &Url) -> bool {
        match url.scheme() {
            "https" => true,
            "http" => self.is_loopback() && is_loopback(url),
            _ => false,
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_loopback_without_a_path_is_an_origin() {
        for text in [
            "https://api.github.com",
            "https://api.github.com/",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert!(text.parse::<Origin>().is_ok(), "{text}");
        }
        for (text, expected) in [
            ("http://api.github.com", OriginError::PlainHttp),
            ("http://127.0.0.1.example", OriginError::PlainHttp),
            ("ftp://127.0.0.1", OriginError::PlainHttp),
            ("https://ghe.example/api/v3", OriginError::MoreThanAHost),
            ("https://user:word@ghe.example", OriginError::MoreThanAHost),
        ] {
            assert_eq!(text.parse::<Origin>(), Err(expected), "{text}");
        }
        assert!(matches!("github".parse::<Origin>(), Err(OriginError::NotAnAddress(_))));
    }

    #[test]
    fn a_download_comes_encrypted_or_from_this_machine() {
        let url = |text: &str| Url::parse(text).unwrap();
        let graph: Origin = "https://graph.microsoft.com".parse().unwrap();
        assert!(graph.trusts_download(&url("https://reports.example/x?sig=s")));
        for text in [
            "http://reports.example/x",
            "http://127.0.0.1/x",
            "ftp://reports.example/x",
        ] {
            assert!(!graph.trusts_download(&url(text)), "{text}");
        }
        let here: Origin = "http://127.0.0.1:1".parse().unwrap();
        assert!(here.trusts_download(&url("http://localhost:2/x")));
        assert!(!here.trusts_download(&url("http://reports.example/x")));
    }

    #[test]
    fn a_link_elsewhere_is_not_owned_and_a_slug_cannot_leave_its_segment() {
        let origin: Origin = "https://api.github.com".parse().unwrap();
        let url = |text: &str| Url::parse(text).unwrap();
        assert!(origin.owns(&url("https://api.github.com/x?page=2")));
        assert!(!origin.owns(&url("https://api.github.com.evil.example/x")));
        assert!(!origin.owns(&url("http://api.github.com/x")));
        assert_eq!(
            origin.at(&["orgs", "../enterprises?x", "teams"]).as_str(),
            "https://api.github.com/orgs/..%2Fenterprises%3Fx/teams"
        );
    }
}
