//! Whether IAM would allow a call, by the policies as they were applied: the part of IAM's language that ours use, and a
//! panic at anything else.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::recorder::Call;

/// A statement of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sid: String,
    pub(crate) actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Condition {
    test: String,
    key: String,
    values: Vec<String>,
}

/// The statements of a policy document.
pub(crate) fn statements(policy: &str) -> Vec<Statement> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    statements
        .map(|statement| {
            assert_eq!(statement["Effect"], "Allow", "{statement}");
            assert!(
                statement.get("NotAction").is_none() && statement.get("NotResource").is_none(),
                "{statement}"
            );
            let conditions = statement["Condition"].as_object().into_iter().flatten();
            let conditions = conditions.flat_map(|(test, keys)| {
                let keys = keys.as_object().unwrap().iter();
                keys.map(|(key, values)| Condition {
                    test: test.clone(),
                    key: key.clone(),
                    values: texts(values),
                })
            });
            Statement {
                sid: statement["Sid"].as_str().unwrap().to_owned(),
                actions: texts(&statement["Action"]),
                resources: texts(&statement["Resource"]),
                conditions: conditions.collect(),
            }
        })
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
        other => panic!("neither text nor texts: {other}"),
    }
}

impl Statement {
    /// Whether it allows a call.
    pub(crate) fn allows(&self, call: &Call) -> bool {
        self.actions.iter().any(|action| is_like(action, &call.action))
            && self.resources.iter().any(|resource| is_like(resource, &call.resource))
            && self.conditions.iter().all(|condition| condition.holds(&call.context))
    }
}

impl Condition {
    fn holds(&self, context: &BTreeMap<String, Vec<String>>) -> bool {
        let given = context.get(&self.key);
        let is_one = |value: &String| self.values.iter().any(|allowed| is_like(allowed, value));
        match self.test.as_str() {
            // A key that a call does not have makes these false, and the last one true.
            "StringEquals" | "StringLike" => {
                given.is_some_and(|values| !values.is_empty() && values.iter().all(is_one))
            }
            "ForAllValues:StringLike" => given.is_none_or(|values| values.iter().all(is_one)),
            other => panic!("the tests do not know the condition {other}"),
        }
    }
}

/// IAM's wildcards: `*` for any text, `?` for one sign.
pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // The place after the last star, and how much of the text that star has taken.
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        if at < pattern.len() && (pattern[at] == '?' || pattern[at] == text[read]) && pattern[at] != '*' {
            at += 1;
            read += 1;
        } else if at < pattern.len() && pattern[at] == '*' {
            star = Some((at + 1, read));
            at += 1;
        } else if let Some((after, taken)) = star {
            star = Some((after, taken + 1));
            at = after;
            read = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}

#[test]
fn wildcards_are_iams() {
    for (pattern, text, is_match) in [
        ("s3:GetObject", "s3:GetObject", true),
        ("s3:Get*", "s3:GetObject", true),
        ("s3:Get*", "s3:PutObject", false),
        ("arn:*:key/?", "arn:aws:kms:key/7", true),
        ("arn:*:key/?", "arn:aws:kms:key/77", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-b-b-d", false),
        ("*", "", true),
        ("", "x", false),
    ] {
        assert_eq!(is_like(pattern, text), is_match, "{pattern} {text}");
    }
}

#[test]
fn a_statement_allows_what_it_names_under_its_conditions_and_nothing_else() {
    let policy = r#"{"Statement": [{"Sid": "Mail", "Effect": "Allow", "Action": "ses:SendRawEmail", "Resource": ["arn:aws:ses:*:identity/octo.example"],
        "Condition": {"StringEquals": {"ses:FromAddress": "a@octo.example"}, "ForAllValues:StringLike": {"ses:Recipients": ["*@octo.example"]}}}]}"#;
    let [statement] = statements(policy).try_into().unwrap();
    let call = |action: &str, from: &str, recipients: &[&str]| Call {
        who: "mailer".to_owned(),
        action: action.to_owned(),
        resource: "arn:aws:ses:x:identity/octo.example".to_owned(),
        context: BTreeMap::from([
            ("ses:FromAddress".to_owned(), vec![from.to_owned()]),
            (
                "ses:Recipients".to_owned(),
                recipients.iter().map(|name| (*name).to_owned()).collect(),
            ),
        ]),
    };
    let fine = ["b@octo.example"];
    assert!(statement.allows(&call("ses:SendRawEmail", "a@octo.example", &fine)));
    assert!(!statement.allows(&call("ses:SendEmail", "a@octo.example", &fine)));
    assert!(!statement.allows(&call("ses:SendRawEmail", "c@octo.example", &fine)));
    assert!(!statement.allows(&call(
        "ses:SendRawEmail",
        "a@octo.example",
        &["b@octo.example", "x@evil.example"]
    )));
    let mut without = call("ses:SendRawEmail", "a@octo.example", &fine);
    without.context.remove("ses:FromAddress");
    assert!(!statement.allows(&without));
}
