//! Just enough of the GraphQL language to read queries with aliases, arguments and nesting; no variables, no fragments.

/// How deep a query may nest; GitHub's seats queries need six levels.
const DEEPEST: usize = 12;

/// One field of a selection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field<'q> {
    /// Its alias, or its name.
    pub(super) key: &'q str,
    pub(super) name: &'q str,
    pub(super) arguments: Vec<(&'q str, &'q str)>,
    pub(super) selection: Vec<Field<'q>>,
}

impl Field<'_> {
    pub(super) fn argument(&self, name: &str) -> Option<&str> {
        self.arguments
            .iter()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| *value)
    }
}

/// Reads `query Name { ... }`, `query{...}` or `{...}`; the error says what was expected, and where.
pub(super) fn parse(text: &str) -> Result<Vec<Field<'_>>, String> {
    let mut reader = Reader { text, rest: text };
    match reader.word() {
        None => {}
        Some("query") => drop(reader.word()),
        Some(_) => return Err("the simulator knows queries only".to_owned()),
    }
    let fields = reader.selection(0)?;
    match reader.peek() {
        None => Ok(fields),
        Some(_) => Err(reader.expected("the end of the query")),
    }
}

struct Reader<'q> {
    text: &'q str,
    rest: &'q str,
}

impl<'q> Reader<'q> {
    /// The next character that means something: white space and commas do not.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn demand(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(self.expected(&format!("{wanted:?}")))
        }
    }

    /// A name, or a number or keyword where a value may stand.
    fn word(&mut self) -> Option<&'q str> {
        self.peek()?;
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn name(&mut self) -> Result<&'q str, String> {
        self.word()
            .ok_or_else(|| self.expected("a name (the simulator knows no variables and no fragments)"))
    }

    fn value(&mut self) -> Result<&'q str, String> {
        if !self.take('"') {
            return self.name();
        }
        let end = self
            .rest
            .find('"')
            .ok_or_else(|| self.expected("the end of a string"))?;
        let value = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(value)
    }

    fn selection(&mut self, depth: usize) -> Result<Vec<Field<'q>>, String> {
        if depth > DEEPEST {
            return Err(format!("more than {DEEPEST} levels of nesting"));
        }
        self.demand('{')?;
        let mut fields = Vec::new();
        while !self.take('}') {
            fields.push(self.field(depth)?);
        }
        Ok(fields)
    }

    fn field(&mut self, depth: usize) -> Result<Field<'q>, String> {
        let key = self.name()?;
        let name = if self.take(':') { self.name()? } else { key };
        let mut arguments = Vec::new();
        if self.take('(') {
            while !self.take(')') {
                let argument = self.name()?;
                self.demand(':')?;
                arguments.push((argument, self.value()?));
            }
        }
        let selection = if self.peek() == Some('{') {
            self.selection(depth + 1)?
        } else {
            Vec::new()
        };
        Ok(Field {
            key,
            name,
            arguments,
            selection,
        })
    }

    fn expected(&self, what: &str) -> String {
        format!("Expected {what} at character {}", self.text.len() - self.rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_arguments_and_nesting_are_read_whatever_the_white_space() {
        let spread = "query Seats {\n u0 : user ( login : \"octocat\" ) { login, email }\n rateLimit { cost }\n}";
        let dense = "query Seats{u0:user(login:\"octocat\"){login email}rateLimit{cost}}";
        let fields = parse(spread).unwrap();
        assert_eq!(fields, parse(dense).unwrap());
        assert_eq!(
            (fields[0].key, fields[0].name, fields[0].argument("login")),
            ("u0", "user", Some("octocat"))
        );
        assert_eq!(fields[0].selection.len(), 2);
        assert_eq!((fields[1].key, fields[1].name), ("rateLimit", "rateLimit"));
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_place() {
        for query in [
            "",
            "{",
            "{user(login:$login){login}}",
            "{...People}",
            "{a}}",
            "{a(b:\"c}",
            "mutation{a}",
        ] {
            assert!(parse(query).is_err(), "{query}");
        }
        assert!(parse(&"{a".repeat(50)).unwrap_err().contains("nesting"));
        assert!(parse("{user(login:$x)}").unwrap_err().contains("character 12"));
    }
}
