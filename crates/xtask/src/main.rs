//! Tasks of the workspace itself: generate what must agree, check that it does, measure.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the person who started it"
)]

mod bench;
mod dashboards;
mod doc_names;
mod generate;
mod layout;
mod package;
mod terraform;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};

/// Tasks of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write the files that follow from the code: metric and configuration references
    Generate,
    /// Check that those files are up to date and that the code keeps the rules of CONTRIBUTING.md
    Check,
    /// Pack the release binaries for Lambda, into target/packages
    Package {
        /// The processor they were built for
        #[arg(long, default_value = "x86_64")]
        architecture: package::Architecture,
    },
    /// Measure 50,000 seats, a day of 30,000 workflow runs and a day of 50,000 people of a tenant against the simulator (needs
    /// target/release/uptake)
    Bench {
        /// Only this
        only: Option<bench::Measurement>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().task).await {
        Ok(()) => ExitCode::SUCCESS,
        // Not returned from here: a backtrace, where the environment asks for one, would bury what is wrong.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(task: Task) -> anyhow::Result<()> {
    let root = root()?;
    match task {
        Task::Generate => generate::write(&root),
        Task::Check => {
            let faults = [
                generate::check(&root)?,
                layout::check(&root)?,
                dashboards::check(&root)?,
                doc_names::check(&root)?,
            ]
            .concat();
            if faults.is_empty() {
                println!("xtask check: everything agrees");
                return Ok(());
            }
            bail!("{}", faults.join("\n"))
        }
        Task::Package { architecture } => {
            for line in package::run(&root, architecture)? {
                println!("{line}");
            }
            Ok(())
        }
        Task::Bench { only } => bench::run(&root, only).await,
    }
}

fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).context("the crate has left crates/xtask")?;
    Ok(root.to_owned())
}
