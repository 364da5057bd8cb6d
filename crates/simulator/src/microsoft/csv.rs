//! Reports as CSV: a mark at the start, quotes where they are needed, names concealed where the tenant wants it.

use std::fmt::Write;

use crate::days;

/// What makes Excel read UTF-8.
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Begins a report with its columns.
pub(super) fn begin(columns: &[&str]) -> String {
    format!("{BYTE_ORDER_MARK}{}\r\n", columns.join(","))
}

/// Adds a line.
pub(super) fn add(text: &mut String, fields: &[Field<'_>]) {
    for (position, field) in fields.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        field.write(text);
    }
    text.push_str("\r\n");
}

/// What a line is made of.
pub(super) enum Field<'a> {
    Text(&'a str),
    Day(Option<i64>),
    Number(u64),
    Flag(bool),
}

impl Field<'_> {
    fn write(&self, text: &mut String) {
        // A string takes whatever is written to it.
        let _ = match self {
            Self::Text(given) if given.contains(['"', ',', '\n']) => {
                write!(text, "\"{}\"", given.replace('"', "\"\""))
            }
            Self::Text(given) => text.write_str(given),
            Self::Day(None) => Ok(()),
            Self::Day(Some(day)) => write!(text, "{}", days::date_of(*day)),
            Self::Number(number) => write!(text, "{number}"),
            Self::Flag(flag) => text.write_str(if *flag { "True" } else { "False" }),
        };
    }
}

/// By what a report calls somebody whose name it conceals: the same for the same name (FNV-1a, twice).
pub(super) fn concealed(name: &str) -> String {
    let hash = |basis: u64| {
        let name = name.to_lowercase();
        name.bytes().fold(basis, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    format!(
        "{:016X}{:016X}",
        hash(0xcbf2_9ce4_8422_2325),
        hash(0x8422_2325_cbf2_9ce4)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_quotes_are_quoted() {
        let mut text = begin(&["Name", "Day"]);
        add(&mut text, &[Field::Text("Ærø, \"Zoë\""), Field::Day(Some(20_777))]);
        add(&mut text, &[Field::Flag(true), Field::Day(None)]);
        assert_eq!(text, "\u{feff}Name,Day\r\n\"Ærø, \"\"Zoë\"\"\",2026-11-20\r\nTrue,\r\n");
    }

    #[test]
    fn a_concealed_name_is_32_hex_digits_whatever_the_case() {
        let name = concealed("Mona@tenant.example");
        assert_eq!(name, concealed("mona@TENANT.example"));
        assert!(
            name.len() == 32
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_lowercase())
        );
        assert_ne!(name, concealed("mina@tenant.example"));
    }
}
