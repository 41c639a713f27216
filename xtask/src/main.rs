//! The jobs of this workspace: `cargo xtask JOB`.
use std::io::Write as _;
use std::process::ExitCode;

const USAGE: &str = "usage: xtask upstream [--listen ADDR]";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let job = args.next();
    let rest: Vec<String> = args.collect();
    let done = match job.as_deref() {
        Some("upstream") => xtask::upstream::cli::run(&rest),
        _ => Err(USAGE.to_owned()),
    };
    let Err(reason) = done else {
        return ExitCode::SUCCESS;
    };
    // Nobody is left to tell when standard error is closed too.
    drop(writeln!(std::io::stderr(), "xtask: {reason}"));
    ExitCode::FAILURE
}
