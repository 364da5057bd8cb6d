//! What is remembered of a person of the directory: the row of `silver_users`, and how a reading of the directory
//! changes it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::directory::DirectoryUser;

/// A person who is or was in the directory. Nobody is ever forgotten: history keeps its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownUser {
    /// The object id.
    pub user_id: String,
    /// The user principal name, lower case, as last seen.
    pub upn: String,
    /// Names before that one, oldest first: reports are days old and still have them.
    pub former_upns: Vec<String>,
    /// The first name that the account was seen with, which it may have taken up again since; rows of before this was
    /// kept have none.
    pub first_upn: Option<String>,
    /// The name shown to people, as last seen.
    pub display_name: Option<String>,
    /// The mail address, as last seen.
    pub mail: Option<String>,
    /// The department, as last seen.
    pub department: Option<String>,
    /// The job title, as last seen.
    pub job_title: Option<String>,
    /// The company, as last seen.
    pub company_name: Option<String>,
    /// The office, as last seen.
    pub office_location: Option<String>,
    /// Whether the account could sign in when last seen.
    pub account_enabled: bool,
    /// Whether the account is disabled or gone.
    pub departed: bool,
    /// Since when it is; a person who returns has none.
    pub departed_on: Option<Date>,
    /// The first day on which a reading showed the account.
    pub first_seen_on: Date,
    /// The last one.
    pub last_seen_on: Date,
}

impl KnownUser {
    /// What is known after a reading of `day` showed the account.
    pub fn seen(stored: Option<&Self>, user: &DirectoryUser, day: Date) -> Self {
        let departed = !user.account_enabled;
        let mut former_upns = stored.map(|stored| stored.former_upns.clone()).unwrap_or_default();
        if let Some(stored) = stored.filter(|stored| stored.upn != user.upn) {
            former_upns.retain(|upn| *upn != stored.upn && *upn != user.upn);
            former_upns.push(stored.upn.clone());
        }
        Self {
            user_id: user.id.clone(),
            upn: user.upn.clone(),
            former_upns,
            first_upn: Some(stored.map_or(&*user.upn, Self::first_name).to_owned()),
            display_name: user.display_name.clone(),
            mail: user.mail.clone(),
            department: user.department.clone(),
            job_title: user.job_title.clone(),
            company_name: user.company_name.clone(),
            office_location: user.office_location.clone(),
            account_enabled: user.account_enabled,
            departed,
            departed_on: departed.then(|| stored.and_then(|stored| stored.departed_on).unwrap_or(day)),
            first_seen_on: stored.map_or(day, |stored| stored.first_seen_on),
            last_seen_on: day,
        }
    }

    /// The first name that the account was seen with.
    pub fn first_name(&self) -> &str {
        let first = self.first_upn.as_ref().or(self.former_upns.first());
        first.unwrap_or(&self.upn)
    }

    /// What is known after a whole reading of `day` did not show the account.
    #[must_use]
    pub fn gone(&self, day: Date) -> Self {
        Self {
            account_enabled: false,
            departed: true,
            departed_on: Some(self.departed_on.unwrap_or(day)),
            ..self.clone()
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use jiff::civil::date;

    pub(crate) fn user(id: &str) -> DirectoryUser {
        DirectoryUser {
            id: id.to_owned(),
            upn: format!("{id}@contoso.example"),
            display_name: Some(id.to_owned()),
            mail: None,
            department: Some("Retail".to_owned()),
            job_title: None,
            company_name: None,
            office_location: None,
            account_enabled: true,
            licenses: Vec::new(),
            plans: Vec::new(),
            states: Vec::new(),
        }
    }

    #[test]
    fn a_name_that_was_left_behind_is_remembered_once() {
        let on = |day| date(2026, 11, day);
        let named = |stored: Option<&KnownUser>, upn: &str, day| {
            let user = DirectoryUser {
                upn: upn.to_owned(),
                ..user("a")
            };
            KnownUser::seen(stored, &user, on(day))
        };
        let first = named(None, "maiden@x", 1);
        let married = named(Some(&first), "married@x", 2);
        assert_eq!(married.former_upns, ["maiden@x"]);
        assert_eq!(named(Some(&married), "married@x", 3).former_upns, ["maiden@x"]);
        assert_eq!(
            named(Some(&married), "maiden@x", 3).former_upns,
            ["married@x"],
            "back to the first one"
        );
        let back = named(Some(&married), "maiden@x", 3);
        let third = named(Some(&back), "third@x", 4);
        assert_eq!(
            [&married, &back, &third].map(KnownUser::first_name),
            ["maiden@x"; 3],
            "the first name stays the first"
        );
        let of_before = KnownUser {
            first_upn: None,
            ..third
        };
        assert_eq!(of_before.first_name(), "married@x", "as far as it was remembered");
    }

    #[test]
    fn a_person_comes_moves_leaves_and_returns() {
        let on = |day| date(2026, 11, day);
        let came = KnownUser::seen(None, &user("a"), on(1));
        assert_eq!(
            (came.first_seen_on, came.departed, came.departed_on),
            (on(1), false, None)
        );
        let moved = DirectoryUser {
            department: Some("Legal".to_owned()),
            ..user("a")
        };
        let moved = KnownUser::seen(Some(&came), &moved, on(2));
        assert_eq!(
            (moved.department.as_deref(), moved.first_seen_on),
            (Some("Legal"), on(1))
        );
        let disabled = DirectoryUser {
            account_enabled: false,
            ..user("a")
        };
        let disabled = KnownUser::seen(Some(&moved), &disabled, on(3));
        assert_eq!((disabled.departed, disabled.departed_on), (true, Some(on(3))));
        let gone = disabled.gone(on(5));
        assert_eq!((gone.departed_on, gone.last_seen_on), (Some(on(3)), on(3)), "left once");
        assert_eq!(gone.gone(on(6)), gone, "gone is gone");
        let back = KnownUser::seen(Some(&gone), &user("a"), on(9));
        assert_eq!((back.departed, back.departed_on), (false, None));
        assert_eq!((back.first_seen_on, back.last_seen_on), (on(1), on(9)));
    }
}
