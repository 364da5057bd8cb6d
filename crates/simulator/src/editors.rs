//! The editor strings GitHub reports: `editor/version/plugin/plugin version`, and everything that is nearly that.

/// How many throws there are; common editors own many of them.
pub(crate) const STYLES: u64 = 100;

/// Versions move on with this many days.
const RELEASE_DAYS: i64 = 45;

/// The string for one throw on one day, or none: GitHub reports activity without an editor, too.
pub(crate) fn editor(style: u64, day: i64) -> Option<String> {
    let release = day.div_euclid(RELEASE_DAYS).rem_euclid(60);
    Some(match style {
        0..=43 => format!("vscode/1.{}.0/copilot-chat/0.{release}.1", 70 + release),
        44..=53 => format!("vscode/1.{}.2/copilot/1.{}.0", 70 + release, 280 + release),
        54..=69 => format!("JetBrains-IU/252.{}.1/copilot-intellij/1.5.{release}", 23_000 + release),
        70..=73 => format!("JetBrains-PY/252.{}.1/copilot-intellij/1.5.{release}", 23_000 + release),
        74..=81 => format!("VisualStudio/17.{release}/copilot-vs/1.{release}.0"),
        82..=85 => format!("Neovim/0.{release}.0/copilot.vim/1.{release}.0"),
        86..=89 => format!("Xcode/16.{release}/copilot-xcode/0.{release}.0"),
        // Two parts: the command line has no plugin.
        90..=93 => format!("copilot-cli/1.0.{release}"),
        // One part: activity on github.com.
        94 => "copilot_pr_review".to_owned(),
        // Three parts.
        95 => format!("Eclipse/4.{release}/copilot-eclipse"),
        // Five and more.
        96 => format!("vscode/1.{}.0-insider/copilot-chat/0.{release}.0/nightly", 70 + release),
        97 => format!("unknown/GitHubCopilotChat/0.{release}/win32/x64/18.5"),
        // A cell a spreadsheet would run as a formula.
        98 => format!("=1+HYPERLINK(A1)/1.{release}/+copilot/@1.{release}"),
        _ => return None,
    })
}

/// Styles that a data set names rather than throws.
pub(crate) mod style {
    pub(crate) const COMMON: u64 = 0;
    pub(crate) const TWO_PARTS: u64 = 90;
    pub(crate) const ONE_PART: u64 = 94;
    pub(crate) const THREE_PARTS: u64 = 95;
    pub(crate) const FIVE_PARTS: u64 = 96;
    pub(crate) const SIX_PARTS: u64 = 97;
    pub(crate) const FORMULA: u64 = 98;
    pub(crate) const NULL: u64 = 99;
}
