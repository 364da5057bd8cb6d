//! Which repositories are looked at, and whose they are: the rules of `repositories.yml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde_saphyr::Spanned;
use wildmatch::WildMatch;

/// The team of every repository that no team claims.
pub const UNASSIGNED: &str = "unassigned";

/// What the file looks like, for whoever wrote it otherwise.
const FORM: &str = "the form is `discover: {organisations: [your-org]}` and `teams: {team: [your-org/repository]}`";

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Repositories {
    /// Organisations of which everything is looked at, in lower case.
    discover: BTreeSet<String>,
    /// Names that discovery and globs leave out.
    exclude: Vec<Pattern>,
    /// Teams with what is theirs.
    claims: Vec<Claim>,
}

#[derive(Clone, Debug, PartialEq)]
struct Claim {
    team: String,
    pattern: Pattern,
}

/// A name or a glob, in lower case: GitHub's names differ by more than case.
#[derive(Clone, Debug, PartialEq)]
struct Pattern {
    text: String,
    matcher: WildMatch,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let text = text.trim().to_lowercase();
        Self {
            matcher: WildMatch::new(&text),
            text,
        }
    }

    fn is_exact(&self) -> bool {
        !self.text.contains(['*', '?'])
    }

    /// Letters that are not wild: the more, the more it knows what it means.
    fn precision(&self) -> usize {
        self.text.chars().filter(|c| !['*', '?'].contains(c)).count()
    }

    fn organisation(&self) -> &str {
        self.text.split('/').next().unwrap_or_default()
    }
}

/// One thing wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    line: Option<u64>,
    text: String,
}

/// Everything wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RepositoryFaults(Vec<Fault>);

impl fmt::Display for RepositoryFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Fault { line, text }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            match line {
                Some(line) => write!(f, "{separator}line {line}: {text}")?,
                None => write!(f, "{separator}{text}")?,
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    discover: Discover,
    #[serde(default)]
    teams: BTreeMap<String, Vec<Spanned<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Discover {
    #[serde(default)]
    organisations: Vec<Spanned<String>>,
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
}

impl Repositories {
    /// Everything of these organisations, on no team.
    pub fn of_organisations(organisations: impl IntoIterator<Item = String>) -> Self {
        Self {
            discover: organisations.into_iter().map(|name| name.to_lowercase()).collect(),
            ..Self::default()
        }
    }

    /// Reads the file, or says what is wrong with it and where.
    pub fn parse(text: &str) -> Result<Self, RepositoryFaults> {
        let file: File = serde_saphyr::from_str(text).map_err(|error| {
            let line = error.location().map(|location| location.line());
            let text = error.without_snippet().to_string();
            // The library ends its sentence with the place, which is said first here.
            let text = text.split(" at line ").next().unwrap_or_default();
            let text = text.split(", set DuplicateKeyPolicy").next().unwrap_or_default();
            let text = text.split("; use from_str").next().unwrap_or_default();
            let text = if text.contains("anchor") {
                "what begins with * or & needs quotes"
            } else {
                text
            };
            let text = format!("{text}; {FORM}");
            RepositoryFaults(vec![Fault { line, text }])
        })?;
        let mut faults = Vec::new();
        let mut fault = |at: &Spanned<String>, text: String| {
            faults.push(Fault {
                line: Some(at.referenced.line()),
                text,
            });
        };
        let mut repositories = Self::default();
        for organisation in &file.discover.organisations {
            if is_name(&organisation.value) {
                repositories.discover.insert(organisation.value.trim().to_lowercase());
            } else {
                fault(
                    organisation,
                    format!("'{}' is no organisation; give its name alone", organisation.value),
                );
            }
        }
        repositories.exclude = file
            .discover
            .exclude
            .iter()
            .map(|text| Pattern::new(&text.value))
            .collect();
        let mut claimed: BTreeMap<String, String> = BTreeMap::new();
        for (team, patterns) in &file.teams {
            for text in patterns {
                let pattern = Pattern::new(&text.value);
                let fits = pattern
                    .text
                    .split_once('/')
                    .is_some_and(|(owner, name)| is_name(owner) && !name.is_empty() && !name.contains('/'));
                if !is_team(team) {
                    fault(
                        text,
                        format!(
                            "'{team}' cannot be a team: CloudWatch takes printable ASCII that does not begin with a colon"
                        ),
                    );
                } else if team == UNASSIGNED {
                    fault(
                        text,
                        format!("'{UNASSIGNED}' is the team of what no team claims; choose another name"),
                    );
                } else if !fits {
                    fault(
                        text,
                        format!(
                            "'{}' is no repository; write owner/name, with * and ? in the name only",
                            text.value
                        ),
                    );
                } else if let Some(other) = claimed.insert(pattern.text.clone(), team.clone()) {
                    fault(
                        text,
                        format!("'{}' is claimed by {other} and by {team}; give it one team", text.value),
                    );
                }
                repositories.claims.push(Claim {
                    team: team.clone(),
                    pattern,
                });
            }
        }
        if faults.is_empty() && repositories.discover.is_empty() && repositories.claims.is_empty() {
            faults.push(Fault {
                line: None,
                text: "it names no repository; add discover: {organisations: [your-org]} or teams".to_owned(),
            });
        }
        if faults.is_empty() {
            Ok(repositories)
        } else {
            faults.sort_by_key(|fault| fault.line);
            Err(RepositoryFaults(faults))
        }
    }

    /// Organisations whose repositories have to be listed, in lower case.
    pub fn organisations(&self) -> BTreeSet<&str> {
        let globs = self.claims.iter().filter(|claim| !claim.pattern.is_exact());
        self.discover
            .iter()
            .map(String::as_str)
            .chain(globs.map(|claim| claim.pattern.organisation()))
            .collect()
    }

    /// Repositories given by their whole name, in lower case.
    pub fn named(&self) -> BTreeSet<&str> {
        let exact = self.claims.iter().filter(|claim| claim.pattern.is_exact());
        exact.map(|claim| claim.pattern.text.as_str()).collect()
    }

    /// Whether a repository, as `owner/name`, is looked at. A whole name wins over an exclusion.
    pub fn takes(&self, repository: &str) -> bool {
        let repository = repository.to_lowercase();
        let (owner, name) = repository.split_once('/').unwrap_or_default();
        let is_excluded = self.exclude.iter().any(|pattern| {
            let part = if pattern.text.contains('/') {
                repository.as_str()
            } else {
                name
            };
            pattern.matcher.matches(part)
        });
        let mut claims = self
            .claims
            .iter()
            .filter(|claim| claim.pattern.matcher.matches(&repository));
        if is_excluded {
            claims.any(|claim| claim.pattern.is_exact())
        } else {
            self.discover.contains(owner) || claims.next().is_some()
        }
    }

    /// The team of a repository: of all claims the most precise one, a whole name before any glob.
    pub fn team_of(&self, repository: &str) -> &str {
        let repository = repository.to_lowercase();
        let claims = self
            .claims
            .iter()
            .filter(|claim| claim.pattern.matcher.matches(&repository));
        // Of equally precise claims the first by name of team: `max_by_key` would take the last.
        claims
            .rev()
            .max_by_key(|claim| (claim.pattern.is_exact(), claim.pattern.precision()))
            .map_or(UNASSIGNED, |claim| &claim.team)
    }

    /// Every team that claims something.
    pub fn teams(&self) -> BTreeSet<&str> {
        self.claims.iter().map(|claim| claim.team.as_str()).collect()
    }
}

/// What a dimension can show as it is: others would fall together.
fn is_team(name: &str) -> bool {
    let is_printable = |c: char| c == ' ' || c.is_ascii_graphic();
    !name.trim().is_empty() && name.trim() == name && !name.starts_with(':') && name.chars().all(is_printable)
}

fn is_name(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = r#"
discover: {organisations: [octo-org], exclude: ["*-archive", "octo-org/secret*"]}
teams:
  payments: [octo-org/pay-api, "octo-org/ledger-*"]
  platform:
    - octo-org/*
    - octo-org/ledger-core
    - octo-labs/old-archive
    - "octo-tools/ci-?"
"#;

    #[test]
    fn teams_globs_and_exclusions_decide_what_is_looked_at_and_whose_it_is() {
        let repositories = Repositories::parse(FILE).unwrap();
        for (repository, team) in [
            ("octo-org/pay-api", Some("payments")),
            ("Octo-Org/Pay-API", Some("payments")),
            ("octo-org/ledger-ui", Some("payments")),
            ("octo-org/ledger-core", Some("platform")), // a whole name wins over a glob
            ("octo-org/web", Some("platform")),
            ("octo-org/web-archive", None),
            ("octo-org/secrets", None),
            ("octo-labs/old-archive", Some("platform")), // a whole name wins over an exclusion
            ("octo-labs/other", None),
            ("octo-tools/ci-1", Some("platform")),
            ("octo-tools/ci-10", None),
        ] {
            assert_eq!(repositories.takes(repository), team.is_some(), "{repository}");
            if let Some(team) = team {
                assert_eq!(repositories.team_of(repository), team, "{repository}");
            }
        }
        assert_eq!(repositories.organisations(), BTreeSet::from(["octo-org", "octo-tools"]));
        assert_eq!(repositories.named().len(), 3);
        assert_eq!(repositories.teams(), BTreeSet::from(["payments", "platform"]));
    }

    #[test]
    fn what_no_team_claims_is_unassigned() {
        let repositories = Repositories::of_organisations(["Octo-Org".to_owned()]);
        assert!(repositories.takes("octo-org/web") && !repositories.takes("octo-labs/web"));
        assert_eq!(repositories.team_of("octo-org/web"), UNASSIGNED);
    }

    #[test]
    fn a_malformed_file_names_line_and_fault() {
        for (text, line, fault) in [
            ("teams:\n  a: [octo-org/x\n  b: [", "line ", ""),
            ("team:\n  a: [octo-org/x]", "line 1: ", "unknown field `team`"),
            ("teams:\n  a: octo-org/x", "line 2: ", "sequence"),
            ("teams:\n  a: [octo-org/x]\n  a: [octo-org/y]", "line 3: ", "duplicate"),
            (
                "teams:\n  a:\n    - octo-org/x\n    - pay-api",
                "line 4: ",
                "'pay-api' is no repository; write owner/name",
            ),
            ("teams:\n  a: ['*/x']", "line 2: ", "is no repository"),
            ("teams:\n  unassigned: [octo-org/x]", "line 2: ", "choose another name"),
            (
                "teams:\n  a: [octo-org/x]\n  b: [Octo-Org/X]",
                "line 3: ",
                "claimed by a and by b",
            ),
            (
                "discover:\n  organisations: ['octo org']",
                "line 2: ",
                "is no organisation",
            ),
            (
                "discover:\n  organizations: [octo-org]",
                "line 2: ",
                "unknown field `organizations`",
            ),
            ("teams:\n  研究: [octo-org/x]", "line 2: ", "cannot be a team"),
            ("teams:\n  '': [octo-org/x]", "line 2: ", "cannot be a team"),
            (
                "discover: {organisations: [octo-org],\n  exclude: [*-archive]}",
                "line 2: ",
                "needs quotes",
            ),
            ("teams: {}", "it names no repository", ""),
            ("", "", ""),
        ] {
            let message = Repositories::parse(text).unwrap_err().to_string();
            assert!(
                message.starts_with(line) && message.contains(fault),
                "{text}: {message}"
            );
            assert!(!message.contains('\n'), "one line, for a log: {message}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let message = Repositories::parse("discover:\n  organisations: ['a b']\nteams:\n  a: [x, y]").unwrap_err();
        assert_eq!(message.to_string().matches("line ").count(), 3, "{message}");
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_answered(text in "[a-z:\\[\\]{}*?/\\-\n \"']{0,80}") {
            let _ = Repositories::parse(&text);
        }
    }
}
