//! The rival of a gateway: nginx as a plain reverse proxy that neither reads nor writes what passes.

use crate::Result;
use crate::process::Process;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use tokio::process::Command;

/// Starts nginx in front of `upstream`, with its files in `dir`; `None` when it is not installed.
///
/// # Errors
/// When it is installed and does not serve.
pub async fn nginx(upstream: SocketAddr, dir: &Path) -> Result<Option<Process>> {
    // Distributions put it where only root's PATH looks.
    let Some(program) = ["nginx", "/usr/sbin/nginx"].into_iter().find(|program| installed(program)) else {
        return Ok(None);
    };
    let addr = free_port()?;
    std::fs::create_dir_all(dir)?;
    let config = dir.join("nginx.conf");
    std::fs::write(&config, text(upstream, addr, dir))?;
    let mut command = Command::new(program);
    command.arg("-p").arg(dir).arg("-e").arg("stderr").arg("-c").arg(&config);
    Process::at(&mut command, addr).await.map(Some)
}

fn installed(program: &str) -> bool {
    std::process::Command::new(program).arg("-v").output().is_ok()
}

/// A port that was free a moment ago; nginx cannot choose one and say so.
fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// One process and no master, so that its CPU time is one number and killing it leaves nothing behind. Connections are
/// kept on both sides, nothing is logged, and a prompt of 200 KB stays in memory.
fn text(upstream: SocketAddr, addr: SocketAddr, dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "daemon off; master_process off; worker_processes 1;
pid {dir}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_max_body_size 64m; client_body_buffer_size 1m;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  upstream up {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen {addr};
    location / {{
      proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;
    }}
  }}
}}
"
    )
}
