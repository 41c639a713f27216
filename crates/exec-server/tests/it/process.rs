//! The binary: its flags, its exit codes, what it prints where, and signals.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use xtask::upstream::Upstream;

use crate::support::{Client, PATIENCE, chat, read_until};

fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exec-server"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// Exit code, stdout and stderr of a command that ends by itself.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let output = binary(arguments).envs(variables.iter().copied()).output();
    let output = timeout(PATIENCE, output).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A server that serves, and where.
async fn serve(arguments: &[&str], variables: &[(&str, &str)]) -> (Child, Client) {
    let mut child = binary(arguments).envs(variables.iter().copied()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let address = first.strip_prefix("listening on http://").unwrap().parse().unwrap();
    (child, Client::new(address))
}

fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    let status = std::process::Command::new("kill").args([name, &id]).status().unwrap();
    assert!(status.success());
}

async fn exit(child: &mut Child) -> Option<i32> {
    timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code()
}

fn file(name: &str, text: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_any_configuration_it_answers_from_the_simulator() {
    let (mut child, client) = serve(&["--listen", "127.0.0.1:0"], &[]).await;
    let answer = client.post("/v1/chat/completions", &chat("any", false)).await.json();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(
        text.contains("[simulator]") && answer["model"].as_str().unwrap().contains("simulator"),
        "{answer}"
    );
    signal(&child, "-TERM");
    assert_eq!(exit(&mut child).await, Some(0));
}

#[tokio::test]
async fn a_key_in_the_environment_makes_that_provider_the_default() {
    let upstream = Upstream::start().await.unwrap();
    let base_url = format!("{}/v1", upstream.url());
    let variables = [
        ("OPENAI_API_KEY", "good-key"),
        ("OPENAI_BASE_URL", base_url.as_str()),
        ("EXEC_LISTEN", "127.0.0.1:0"),
    ];
    let (_child, client) = serve(&[], &variables).await;
    let answer = client.post("/v1/chat/completions", &chat("m", false)).await;
    assert_eq!((answer.status, answer.header("x-exec-provider")), (200, Some("openai")));
    assert_eq!(upstream.stats().calls, 1);
}

#[tokio::test]
async fn sigterm_lets_a_stream_finish_and_a_second_signal_does_not() {
    for (impatient, code) in [(false, 0), (true, 130)] {
        let (mut child, client) =
            serve(&["--listen", "127.0.0.1:0", "--config", &slow_simulator()], &[]).await;
        let mut stream = client.begin("/v1/chat/completions", &chat("m", true)).await;
        let mut seen = read_until(&mut stream, "\"content\":").await;
        signal(&child, "-TERM");
        while client.get("/readyz").await.status != 503 {
            tokio::task::yield_now().await;
        }
        if impatient {
            signal(&child, "-TERM");
        } else {
            stream.read_to_string(&mut seen).await.unwrap();
            assert!(seen.contains("data: [DONE]"), "{seen}");
        }
        assert_eq!(exit(&mut child).await, Some(code));
    }
}

/// About a second for each answer.
fn slow_simulator() -> String {
    file("slow.toml", "[providers.simulator]\ntype = \"simulator\"\ntokens_per_second = 20\ntokens = 20\n")
}

#[tokio::test]
async fn a_configuration_that_cannot_work_exits_2_with_every_reason_on_stderr() {
    let config = file("wrong.yaml", "server: {listen: nowhere, typo: 1}\nproviders: {a: {type: magic}}\n");
    for arguments in [["--config", &config].as_slice(), &["check", "--config", &config]] {
        let (code, stdout, stderr) = run(arguments, &[]).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        for reason in ["server.listen", "server.typo", "providers.a.type"] {
            assert!(stderr.contains(reason), "{reason} is not in {stderr}");
        }
    }
    let (code, _, stderr) = run(&["--config", "/nowhere.toml"], &[]).await;
    assert!(code == 2 && stderr.contains("/nowhere.toml"), "{stderr}");
}

#[tokio::test]
async fn check_says_what_a_configuration_means_and_starts_nothing() {
    let (code, stdout, _) = run(&["check"], &[("OPENAI_API_KEY", "sk-canary")]).await;
    assert_eq!(code, 0);
    assert!(stdout.contains("openai  (default)") && stdout.contains("simulator"), "{stdout}");
    assert!(!stdout.contains("canary"));
    let text = "[pipeline]\nmiddleware = [\"rate_limit\"]\n[providers.simulator]\ntype = \"simulator\"\n\
        guard = [\"retry\", \"breaker\", \"limit\"]\nlimit = { concurrency = 5 }\ntimeout = { total = \"9s\" }\n";
    let (code, stdout, _) = run(&["check", "--config", &file("guards.toml", text)], &[]).await;
    assert_eq!(code, 0);
    assert!(stdout.contains("guards    retry > breaker > concurrency_limit > timeout"), "{stdout}");
    assert!(stdout.contains("warning: middleware.rate_limit: all callers are one tenant"), "{stdout}");
}

#[tokio::test]
async fn execute_streams_to_stdout_and_everything_else_goes_to_stderr() {
    let (code, stdout, stderr) = run(&["execute", "hello", "--max-tokens", "5"], &[]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.starts_with("[simulator]") && stdout.ends_with('\n') && stdout.split_whitespace().count() == 5,
        "{stdout}"
    );
    let (code, stdout, stderr) = run(&["execute", "hello", "--model", "fault:unavailable"], &[]).await;
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.contains("simulator"), "{stderr}");
}

#[tokio::test]
async fn ctrl_c_cancels_an_execution_upstream() {
    let upstream = Upstream::start().await.unwrap();
    let base_url = format!("{}/v1", upstream.url());
    let variables = [("OPENAI_API_KEY", "good-key"), ("OPENAI_BASE_URL", base_url.as_str())];
    let mut child =
        binary(&["execute", "hello", "--model", "fault:stall=5"]).envs(variables).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut seen = [0; 4];
    timeout(PATIENCE, stdout.read_exact(&mut seen)).await.unwrap().unwrap();
    signal(&child, "-INT");
    upstream.wait_for(|stats| stats.left == 1, PATIENCE).await.unwrap();
    assert_eq!(exit(&mut child).await, Some(130));
}

#[tokio::test]
async fn the_data_folder_is_made_and_a_bad_one_is_refused() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("data/deep");
    let _ = std::fs::remove_dir_all(&folder);
    let (_child, _) = serve(&["--listen", "127.0.0.1:0", "--data-dir", folder.to_str().unwrap()], &[]).await;
    assert!(folder.is_dir());
    let taken = file("taken", "");
    let (code, _, stderr) = run(&["--listen", "127.0.0.1:0", "--data-dir", &taken], &[]).await;
    assert!(code == 2 && stderr.contains("--data-dir"), "{stderr}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_said() {
    let holder = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let (code, _, stderr) = run(&["--listen", &address], &[]).await;
    assert!(code == 1 && stderr.contains(&address), "{stderr}");
}

#[tokio::test]
async fn help_fits_a_terminal_of_80_columns() {
    let (code, stdout, _) = run(&["--help"], &[("COLUMNS", "80")]).await;
    assert_eq!(code, 0);
    assert!(stdout.lines().all(|line| line.chars().count() <= 80), "{stdout}");
    for word in ["serve", "check", "execute", "EXEC_CONFIG", "EXEC_LISTEN", "EXEC_DATA_DIR", "EXEC_LOG"] {
        assert!(stdout.contains(word), "{word}");
    }
    assert_eq!(run(&["--nonsense"], &[]).await.0, 2);
}

#[tokio::test]
async fn kill_9_leaves_nothing_that_stops_the_next_start() {
    let (mut child, client) = serve(&["--listen", "127.0.0.1:0"], &[]).await;
    assert_eq!(client.get("/livez").await.status, 200);
    signal(&child, "-KILL");
    assert_eq!(exit(&mut child).await, None);
    let (_child, client) = serve(&["--listen", "127.0.0.1:0"], &[]).await;
    tokio::time::sleep(Duration::ZERO).await;
    assert_eq!(client.get("/livez").await.status, 200);
}
