//! The binary: see `exec_server::cli` for what it can be told.

use std::process::ExitCode;

fn main() -> ExitCode {
    exec_server::cli::main()
}
