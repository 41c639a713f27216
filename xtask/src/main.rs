//! The jobs of this workspace: `cargo xtask JOB`. This file only chooses; each job has a file of its own.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a job talks to the developer on the terminal"
)]

mod bench;
mod ci;
mod clients;
mod faults;
mod lab;
mod serve;
mod shell;
mod soak;
mod steps;
mod stores;
mod test;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask JOB

  test [--require-clients]     all a developer must pass: unit, integration, doc and real client tests
       [--only-clients]        only the tests that drive the server with real SDKs
  test faults [--only ID]...   break the built server's providers and callers; writes docs/reliability.md
       [--check] [--debug]     compare the report instead of writing it; the debug build
  soak [--minutes N]           thousands of callers, leaving and failing; afterwards nothing may be left taken
       [--operations N] [--callers N] [--seed N] [--quick] [--debug]
  ci [--skip STEP]...          fmt, clippy, tidy, deny, doc, test, behaviour, alone (each crate),
                               light (crate counts)
  tidy [--fix]                 the house rules; --fix writes the crates' README files from their docs
  bench [NAME] [--quick]       run the benches and print one table with ratios
  bench --behaviour [--check]  write what guards and rivals do into docs/middleware.md, or check what it says
  upstream [--listen ADDR]     a fault-injecting upstream that speaks the OpenAI and Anthropic formats
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (job, rest) = match args.split_first() {
        Some((job, rest)) => (job.as_str(), rest),
        None => ("help", &[][..]),
    };
    match run(job, rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask {job}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one job; `false` means that it ran to its end and found something wrong.
fn run(job: &str, args: &[String]) -> shell::Result<bool> {
    match job {
        "test" => test::run(args),
        "soak" => soak::run(args),
        "ci" => ci::run(args),
        "tidy" => tidy::run(args),
        "bench" => bench::run(args),
        "upstream" => Ok(xtask::upstream::cli::run(args).map(|()| true)?),
        "help" | "-h" | "--help" => {
            print!("{HELP}");
            Ok(true)
        }
        other => Err(format!("no such job: {other}\n\n{HELP}").into()),
    }
}
