//! Who is which subject.

use std::collections::HashMap;

use uptake_domain::identity::subject_names;

use super::Identity;
use crate::people::People;

/// The subjects of everybody in the directory, and of whoever else turns up.
pub(crate) struct Subjects<'a> {
    identity: &'a Identity,
    by_user: HashMap<&'a str, String>,
}

impl<'a> Subjects<'a> {
    pub(crate) fn new(people: &'a People, identity: &'a Identity) -> Self {
        let names = subject_names(people.users.values());
        let by_user = names
            .into_iter()
            .map(|(user_id, name)| (user_id, identity.key.subject(&identity.tenant, &name)))
            .collect();
        Self { identity, by_user }
    }

    /// Of somebody in the directory.
    pub(crate) fn of_user(&self, user_id: &str) -> Option<&str> {
        self.by_user.get(user_id).map(String::as_str)
    }

    /// Of somebody whom the directory does not know.
    pub(crate) fn of_name(&self, upn: &str) -> String {
        self.identity.key.subject(&self.identity.tenant, upn)
    }

    /// Everybody in the directory: user ids and subjects.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'a str, &str)> {
        self.by_user
            .iter()
            .map(|(user_id, subject)| (*user_id, subject.as_str()))
    }

    /// Everybody in the directory, by subject.
    pub(crate) fn users(&self) -> HashMap<&str, &'a str> {
        self.by_user
            .iter()
            .map(|(user_id, subject)| (subject.as_str(), *user_id))
            .collect()
    }
}
