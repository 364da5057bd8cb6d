//! Who a subject is: for an operator who holds the key, names beside the subjects of an answer.

use std::collections::HashMap;

use serde_json::{Value, json};
use uptake_domain::known_user::KnownUser;
use uptake_lake::Lake;

use crate::engagement::Identity;
use crate::engagement::subjects::Subjects;
use crate::identity_state::{self, IdentityError};
use crate::outcome::PipelineError;
use crate::people::People;
use crate::ports::Files;

/// Fails where this is not the key that the store's engagement is written with, as the functions do that write it.
pub async fn check(files: &dyn Files, identity: &Identity) -> Result<(), PipelineError> {
    identity_state::recognise(files, &identity.key, &identity.tenant).await
}

/// Puts `user_principal_name`, `display_name` and `department` beside every subject of an answer, by whichever face it
/// was given. The name is the present one of whom the directory in `silver` knows, and the encrypted one of others, who
/// have neither of the other two.
///
/// # Errors
///
/// [`IdentityError::OtherKey`] where a subject was made with another key or in another tenant.
pub async fn name(answer: &mut Value, identity: &Identity, silver: &Lake) -> Result<(), PipelineError> {
    let key_id = answer.get("key_id").and_then(Value::as_str).map(str::to_owned);
    let Some(rows) = answer.get_mut("subjects").and_then(Value::as_array_mut) else {
        return Ok(());
    };
    let people = People::read(silver).await?;
    let subjects = Subjects::new(&people, identity);
    let known: HashMap<&str, &KnownUser> = subjects
        .users()
        .into_iter()
        .filter_map(|(subject, user_id)| Some((subject, people.users.get(user_id)?)))
        .collect();
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        let subject = row.get("subject").and_then(Value::as_str).unwrap_or_default();
        let encrypted = identity
            .key
            .resolve(&identity.tenant, subject)
            .map_err(|_| IdentityError::OtherKey {
                in_use: key_id.clone().unwrap_or_else(|| "that made these subjects".to_owned()),
                offered: identity.key.id().to_owned(),
            })?;
        let user = known.get(subject);
        let name = user.map_or(encrypted, |user| user.upn.clone());
        let of_user = |column: fn(&KnownUser) -> &Option<String>| json!(user.and_then(|user| column(user).as_deref()));
        let (display_name, department) = (of_user(|user| &user.display_name), of_user(|user| &user.department));
        row.insert("user_principal_name".to_owned(), name.into());
        row.insert("display_name".to_owned(), display_name);
        row.insert("department".to_owned(), department);
    }
    Ok(())
}
