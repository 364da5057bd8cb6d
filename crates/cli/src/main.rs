//! The command `uptake`: reads arguments and environment, once, and leaves the rest to the library.

use std::process::ExitCode;

use clap::Parser;
use uptake_cli::args::Arguments;

// Delta waits for its store on threads of its own; with one thread for all, one could wait for the other.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    uptake_cli::execute(Arguments::parse(), &variable).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the command line reads its environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
