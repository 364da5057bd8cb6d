//! Subjects: who a row of engagement is about, without a name, and the key that makes and resolves them.
//!
//! The cipher is AES-SIV with 64 bytes of key (RFC 5297): the same name gives the same subject, so that rows of one person
//! can be told to belong together, and a subject that was altered, or made with another key or in another tenant, does not
//! resolve to anything.

use std::collections::BTreeMap;
use std::fmt;

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use secrecy::{ExposeSecret, SecretBox};

use crate::known_user::KnownUser;

/// Bytes of a key: half of it authenticates, half of it encrypts.
pub const KEY_BYTES: usize = 64;
/// The longest name of a key.
const LONGEST_KEY_ID: usize = 32;
/// No name of a key: a parameter that begins like this is wrapped by KMS.
const RESERVED: &str = "kms";
/// What is encrypted: subjects of engagement, as opposed to whatever the same key may be used for one day.
const KIND: &[u8] = b"engagement-subject";

/// A key with its name.
pub struct IdentityKey {
    id: String,
    bytes: SecretBox<[u8; KEY_BYTES]>,
}

/// A key that cannot be used. Says nothing of what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be <key id>:<base64 of 64 bytes>, the key id of lower-case letters, digits and hyphens and not `kms`; `uptake keys generate <key id>` prints one"
)]
pub struct UnusableKey;

/// A subject that this key did not make in this tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject does not resolve under this key")]
pub struct Unresolvable;

// The bytes are nobody's business.
impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl IdentityKey {
    /// Reads `<key id>:<base64 of 64 bytes>`.
    pub fn parse(text: &str) -> Result<Self, UnusableKey> {
        let (id, encoded) = text.trim().split_once(':').ok_or(UnusableKey)?;
        if !is_key_id(id) {
            return Err(UnusableKey);
        }
        let decoded = BASE64.decode(encoded.as_bytes()).map_err(|_| UnusableKey)?;
        let bytes = <[u8; KEY_BYTES]>::try_from(decoded).map_err(|_| UnusableKey)?;
        // Two equal halves are no key but a slip.
        if bytes[..KEY_BYTES / 2] == bytes[KEY_BYTES / 2..] {
            return Err(UnusableKey);
        }
        Ok(Self {
            id: id.to_owned(),
            bytes: SecretBox::new(Box::new(bytes)),
        })
    }

    /// Its name, which stands beside every subject that it makes.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the other one is the same but perhaps for its name.
    pub fn has_bytes_of(&self, other: &Self) -> bool {
        self.bytes.expose_secret() == other.bytes.expose_secret()
    }

    /// The subject of somebody with this name in this tenant.
    pub fn subject(&self, tenant: &str, name: &str) -> String {
        let tenant = normal(tenant);
        // Only 127 headers or more than the memory of this machine would make it fail.
        let sealed = self.cipher().encrypt(self.headers(&tenant), normal(name).as_bytes());
        BASE64URL_NOPAD.encode(&sealed.unwrap_or_default())
    }

    /// The name of a subject.
    pub fn resolve(&self, tenant: &str, subject: &str) -> Result<String, Unresolvable> {
        let tenant = normal(tenant);
        let sealed = BASE64URL_NOPAD.decode(subject.as_bytes()).map_err(|_| Unresolvable)?;
        let name = self
            .cipher()
            .decrypt(self.headers(&tenant), &sealed)
            .map_err(|_| Unresolvable)?;
        String::from_utf8(name).map_err(|_| Unresolvable)
    }

    fn cipher(&self) -> Aes256Siv {
        Aes256Siv::new(self.bytes.expose_secret().into())
    }

    fn headers<'a>(&'a self, tenant: &'a str) -> [&'a [u8]; 3] {
        [tenant.as_bytes(), KIND, self.id.as_bytes()]
    }
}

/// A key as [`IdentityKey::parse`] reads it, of bytes that must come from a good source of chance.
pub fn written(id: &str, random: &[u8; KEY_BYTES]) -> Result<String, UnusableKey> {
    let text = format!("{id}:{}", BASE64.encode(random));
    IdentityKey::parse(&text).map(|_| text)
}

fn is_key_id(id: &str) -> bool {
    let is_usual = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
    (1..=LONGEST_KEY_ID).contains(&id.len()) && id.chars().all(is_usual) && id != RESERVED
}

/// One person has one name, however it is spelled.
fn normal(name: &str) -> String {
    name.trim().to_lowercase()
}

/// By which name everybody is a subject: the first one that the account was seen with, which stays through renames. A
/// name that somebody had before is told apart by a number: two people are never one subject.
pub fn subject_names<'a>(users: impl Iterator<Item = &'a KnownUser>) -> BTreeMap<&'a str, String> {
    let mut by_name: BTreeMap<String, Vec<&KnownUser>> = BTreeMap::new();
    for user in users {
        by_name.entry(normal(user.first_name())).or_default().push(user);
    }
    let mut names = BTreeMap::new();
    for (name, mut holders) in by_name {
        holders.sort_by_key(|user| (user.first_seen_on, &user.user_id));
        for (earlier, user) in holders.into_iter().enumerate() {
            let told_apart = match earlier {
                0 => name.clone(),
                // A number sign is in no name of a member, and is doubled by nothing.
                _ => format!("{name}#{}", earlier + 1),
            };
            names.insert(user.user_id.as_str(), told_apart);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use aes_siv::siv::Aes128Siv;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::known_user::tests::user;

    fn key(id: &str, fill: u8) -> IdentityKey {
        let bytes: [u8; KEY_BYTES] = std::array::from_fn(|place| fill.wrapping_add(u8::try_from(place).unwrap()));
        IdentityKey::parse(&written(id, &bytes).unwrap()).unwrap()
    }

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_cipher_is_that_of_rfc_5297() {
        // Appendix A.1, deterministic.
        let key: [u8; 32] = hex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
            .try_into()
            .unwrap();
        let header = hex("101112131415161718191a1b1c1d1e1f2021222324252627");
        let plain = hex("112233445566778899aabbccddee");
        let sealed = Aes128Siv::new(&key.into()).encrypt([&header], &plain).unwrap();
        assert_eq!(
            sealed,
            hex("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c")
        );
        // Appendix A.2, with several headers, the last of them a nonce.
        let key: [u8; 32] = hex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f")
            .try_into()
            .unwrap();
        let headers = [
            hex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100"),
            hex("102030405060708090a0"),
            hex("09f911029d74e35bd84156c5635688c0"),
        ];
        let plain = b"this is some plaintext to encrypt using SIV-AES";
        let sealed = Aes128Siv::new(&key.into()).encrypt(&headers, plain).unwrap();
        assert_eq!(
            sealed,
            hex(concat!(
                "7bdb6e3b432667eb06f4d14bff2fbd0f",
                "cb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
            ))
        );
    }

    #[test]
    fn a_name_is_the_same_subject_however_it_is_spelled_and_another_one_elsewhere() {
        let first = key("first", 1);
        let subject = first.subject("Tenant", "Adele@Contoso.Example");
        assert_eq!(first.subject("tenant", " adele@contoso.example "), subject);
        for other in [
            first.subject("tenant", "alex@contoso.example"),
            first.subject("other", "adele@contoso.example"),
            key("second", 1).subject("tenant", "adele@contoso.example"),
            key("first", 2).subject("tenant", "adele@contoso.example"),
        ] {
            assert_ne!(other, subject);
        }
        assert!(!subject.contains("adele"), "{subject}");
    }

    #[test]
    fn only_the_key_that_made_a_subject_resolves_it_and_only_where_it_was_made() {
        let first = key("first", 1);
        let subject = first.subject("tenant", "adele@contoso.example");
        assert_eq!(
            first.resolve("TENANT", &subject).as_deref(),
            Ok("adele@contoso.example")
        );
        assert_eq!(first.resolve("other", &subject), Err(Unresolvable));
        assert_eq!(key("second", 1).resolve("tenant", &subject), Err(Unresolvable));
        assert_eq!(key("first", 2).resolve("tenant", &subject), Err(Unresolvable));
        let mut altered = subject.clone();
        altered.replace_range(..1, if subject.starts_with('A') { "B" } else { "A" });
        assert_eq!(first.resolve("tenant", &altered), Err(Unresolvable));
        assert_eq!(first.resolve("tenant", "not base64!"), Err(Unresolvable));
    }

    #[test]
    fn a_key_that_cannot_be_used_is_refused_without_being_quoted() {
        let good = written("k-2026", &std::array::from_fn(|place| u8::try_from(place).unwrap())).unwrap();
        assert_eq!(IdentityKey::parse(&format!(" {good}\n")).unwrap().id(), "k-2026");
        for text in [
            "",
            "k",
            "k:",
            "k:c2hvcnQ=",
            &good.replace("k-2026", "K"),
            &good.replace("k-2026", ""),
            &good.replace("k-2026", &"k".repeat(33)),
            &good.replace("k-2026", "kms"),
            &good[..good.len() - 4],
            &format!("k:{}", BASE64.encode(&[7; KEY_BYTES])),
        ] {
            let error = IdentityKey::parse(text).unwrap_err().to_string();
            assert!(error.contains("uptake keys generate"), "{error}");
            assert!(!error.contains("c2hv"), "{error}");
        }
        assert!(!format!("{:?}", IdentityKey::parse(&good).unwrap()).contains(&good[7..20]));
    }

    #[test]
    fn a_key_under_another_name_is_known_by_its_bytes() {
        assert!(key("first", 1).has_bytes_of(&key("second", 1)));
        assert!(!key("first", 1).has_bytes_of(&key("first", 2)));
    }

    #[test]
    fn the_first_name_stays_and_two_people_are_never_one_subject() {
        let on = |day| date(2026, 11, day);
        let mut renamed = crate::known_user::KnownUser::seen(None, &user("a"), on(2));
        renamed.upn = "married@contoso.example".to_owned();
        let earlier = crate::known_user::KnownUser::seen(None, &user("b"), on(1));
        let mut reused = crate::known_user::KnownUser::seen(None, &user("c"), on(3));
        reused.first_upn = Some("B@contoso.example".to_owned());
        let users = [reused, renamed, earlier];
        let names = subject_names(users.iter());
        assert_eq!(names["a"], "a@contoso.example");
        assert_eq!(names["b"], "b@contoso.example");
        assert_eq!(names["c"], "b@contoso.example#2");
    }

    proptest! {
        #[test]
        fn what_is_made_resolves(name in "[a-z0-9.#_-]{1,60}@[a-z.]{1,40}", fill: u8) {
            let key = key("k", fill);
            let subject = key.subject("tenant", &name);
            prop_assert_eq!(key.resolve("tenant", &subject).unwrap(), name);
        }
    }
}
