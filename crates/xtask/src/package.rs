//! The packages that Lambda runs: a zip for each function whose bytes follow from the binary alone. A zip that also held
//! when and by whom it was made would make every plan show every function as changed.

use std::fs;
use std::io::Cursor;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use uptake_domain::functions::EVERY_FUNCTION;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// What Lambda starts.
const BOOTSTRAP: &str = "bootstrap";
/// Everybody may run it, nobody may change it.
const MODE: u32 = 0o555;
/// A function's code, unzipped (docs.aws.amazon.com, "Lambda quotas", read 2026-11-22).
const MOST_BYTES: usize = 250 * 1024 * 1024;
/// Where an ELF file says what processor it is for.
const MACHINE: std::ops::Range<usize> = 18..20;

/// A processor that Lambda has, in Terraform's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// x86-64.
    #[value(name = "x86_64")]
    X86,
    /// arm64.
    #[value(name = "arm64")]
    Arm,
}

impl Architecture {
    /// Its number in an ELF file.
    fn machine(self) -> [u8; 2] {
        match self {
            Self::X86 => [62, 0],
            Self::Arm => [183, 0],
        }
    }
}

/// Packs every function's release binary into `target/packages`, and prints what became of it.
pub(crate) fn run(root: &Path, architecture: Architecture) -> anyhow::Result<Vec<String>> {
    let packages = root.join("target/packages");
    fs::create_dir_all(&packages)?;
    let mut lines = Vec::new();
    for function in EVERY_FUNCTION {
        let binary = root.join("target/release").join(function);
        let bytes =
            fs::read(&binary).with_context(|| format!("{} cannot be read; run `make build`", binary.display()))?;
        let zip = pack(&bytes, architecture).with_context(|| (*function).to_owned())?;
        let name = format!("{function}.zip");
        fs::write(packages.join(&name), &zip)?;
        lines.push(format!(
            "{name:<24} {:>5.1} MB, unzipped {:>5.1} MB",
            megabytes(&zip),
            megabytes(&bytes)
        ));
    }
    Ok(lines)
}

#[expect(clippy::cast_precision_loss, reason = "for people, to one place")]
fn megabytes(bytes: &[u8]) -> f64 {
    bytes.len() as f64 / 1_048_576.0
}

/// The zip of a binary.
fn pack(binary: &[u8], architecture: Architecture) -> anyhow::Result<Vec<u8>> {
    if binary.get(MACHINE) != Some(&architecture.machine()) {
        bail!(
            "the binary is not for {architecture:?}; build on a machine of that kind, or name the other architecture"
        );
    }
    ensure!(binary.len() <= MOST_BYTES, "the binary is larger than Lambda takes");
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(MODE);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(BOOTSTRAP, options)?;
    zip.write_all(binary)?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn binary(machine: u8) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F'];
        bytes.resize(18, 0);
        bytes.extend([machine, 0]);
        bytes.resize(5_000, 7);
        bytes
    }

    #[test]
    fn a_package_follows_from_the_binary_and_nothing_else() {
        let first = pack(&binary(62), Architecture::X86).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2_100));
        let second = pack(&binary(62), Architecture::X86).unwrap();
        assert_eq!(first, second, "two seconds later, which is as fine as a zip tells time");
        let mut archive = zip::ZipArchive::new(Cursor::new(first)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut file = archive.by_name("bootstrap").unwrap();
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o555));
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, binary(62));
    }

    #[test]
    fn a_binary_of_another_processor_is_refused() {
        assert!(pack(&binary(62), Architecture::Arm).is_err());
        assert!(pack(&binary(183), Architecture::Arm).is_ok());
        assert!(pack(b"text", Architecture::X86).is_err());
    }
}
