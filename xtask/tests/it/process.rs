//! The upstream as a process: what it prints and how it ends.
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn it_says_where_it_listens_and_ends_on_a_signal() {
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_xtask")).arg("upstream").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addr = line.trim().strip_prefix("listening on http://").unwrap();
    let mut client = TcpStream::connect(addr).unwrap();
    client.write_all(b"GET /__stats HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"calls\":0"));
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn unknown_arguments_are_refused() {
    for args in [&["upstream", "--port", "1"][..], &["nonsense"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(args).output().unwrap();
        assert!(!output.status.success() && !output.stderr.is_empty());
    }
}
