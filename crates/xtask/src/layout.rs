//! Rules that no compiler holds: what `domain` may depend on, how a Lambda's main looks, how a file begins.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use uptake_domain::functions::EVERY_FUNCTION;

/// What would let `domain` read a clock, a socket or the environment by itself.
const NOT_IN_DOMAIN: [&str; 7] = [
    "tokio",
    "reqwest",
    "aws-",
    "async-trait",
    "futures",
    "uptake-",
    "tracing",
];
/// A Lambda's main is wiring; a decision belongs into `pipeline`.
const MOST_MAIN_LINES: usize = 40;

/// Every rule that is broken, one sentence each.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    domain_is_pure(root, &mut faults)?;
    files_say_what_they_are_for(root, &mut faults)?;
    lambdas_only_wire(root, &mut faults)?;
    functions_are_folders(root, &mut faults)?;
    Ok(faults)
}

fn domain_is_pure(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let manifest = read(&root.join("crates/domain/Cargo.toml"))?;
    let dependencies = manifest.split("[dev-dependencies]").next().unwrap_or_default();
    for line in dependencies.lines().skip_while(|line| *line != "[dependencies]") {
        if NOT_IN_DOMAIN.iter().any(|banned| line.starts_with(banned)) {
            faults.push(format!(
                "crates/domain depends on `{line}`: rules do no input or output"
            ));
        }
    }
    Ok(())
}

fn files_say_what_they_are_for(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for folder in ["crates", "lambdas", "tests"] {
        for path in rust_files(&root.join(folder))? {
            let text = read(&path)?;
            if !text.starts_with("//! ") && !text.starts_with("#![doc = include_str!(") {
                let name = path.strip_prefix(root).unwrap_or(&path).display();
                faults.push(format!("{name} does not begin with a line that says what it is for"));
            }
        }
    }
    Ok(())
}

fn functions_are_folders(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let mut folders: Vec<String> = fs::read_dir(root.join("lambdas"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    folders.sort();
    if folders != EVERY_FUNCTION {
        faults.push(format!(
            "the folders of lambdas ({}) are not the functions of crates/domain/src/functions.rs",
            folders.join(", ")
        ));
    }
    Ok(())
}

fn lambdas_only_wire(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(root.join("lambdas"))? {
        let folder = entry?.path();
        let function = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let main = read(&folder.join("src/main.rs"))?;
        if main.lines().count() > MOST_MAIN_LINES {
            faults.push(format!(
                "lambdas/{function}/src/main.rs has more than {MOST_MAIN_LINES} lines"
            ));
        }
        if main.contains("if ") || main.contains("match ") {
            faults.push(format!(
                "lambdas/{function}/src/main.rs decides something; that belongs into pipeline"
            ));
        }
    }
    Ok(())
}

fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}
