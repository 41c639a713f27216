//! The file of pipes: read whole, then as YAML, JSON or TOML.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use pipe_graph::{Pipe, PipeGraph, PipeId, Problems};
use serde::Deserialize;

/// More than this is refused before it fills the memory: room for about a million pipes.
const MOST: u64 = 512 << 20;

/// What the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declared {
    pipes: Vec<Pipe>,
    pub(super) request: Option<Vec<String>>,
}

impl Declared {
    pub(super) fn graph(&self) -> Result<PipeGraph, Problems> {
        let mut builder = PipeGraph::builder();
        if let Some(request) = &self.request {
            builder = builder.request(request.iter().map(String::as_str));
        }
        builder.extend(self.pipes.iter().cloned());
        builder.build()
    }

    /// Those of the names that no pipe has.
    pub(super) fn missing<'a>(&self, ids: impl Iterator<Item = &'a String>) -> Vec<PipeId> {
        let known: HashSet<&str> = self.pipes.iter().map(|pipe| pipe.id.as_str()).collect();
        ids.filter(|id| !known.contains(id.as_str())).map(|id| id.as_str().into()).collect()
    }

    pub(super) fn requested(&self) -> impl Iterator<Item = &Pipe> {
        let request: Option<HashSet<&str>> =
            self.request.as_ref().map(|request| request.iter().map(String::as_str).collect());
        self.pipes
            .iter()
            .filter(move |pipe| request.as_ref().is_none_or(|ids| ids.contains(pipe.id.as_str())))
    }
}

#[derive(Clone, Copy)]
enum Syntax {
    Json,
    Toml,
    Yaml,
}

/// # Errors
/// What keeps the file from being read, for a person.
pub(super) fn read(path: &Path) -> Result<Declared, String> {
    let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let said = |message: String| format!("{name} {message}");
    if path == Path::new("-") {
        let text = text(std::io::stdin().lock()).map_err(said)?;
        return parse(&text, guessed(&text)).map_err(said);
    }
    let syntax = match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Syntax::Json,
        Some("toml") => Syntax::Toml,
        Some("yaml" | "yml") => Syntax::Yaml,
        _ => return Err(said("must end in .yaml, .yml, .json or .toml; - reads from stdin".to_owned())),
    };
    let file = File::open(path).map_err(|error| said(format!("cannot be read: {error}")))?;
    parse(&text(file).map_err(said)?, syntax).map_err(said)
}

fn text(from: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MOST {
        return Err(format!("is larger than {MOST} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| format!("is not UTF-8 text: {}", error.utf8_error()))
}

/// JSON starts with a brace; TOML has a line `[[pipes]]` or one that assigns; the rest is YAML.
fn guessed(text: &str) -> Syntax {
    if text.trim_start().starts_with('{') {
        return Syntax::Json;
    }
    let toml = |line: &str| {
        let line = line.trim();
        line.starts_with("[[")
            || (line.split_once('=').is_some_and(|(key, _)| matches!(key.trim(), "pipes" | "request")))
    };
    if text.lines().any(toml) { Syntax::Toml } else { Syntax::Yaml }
}

fn parse(text: &str, syntax: Syntax) -> Result<Declared, String> {
    match syntax {
        Syntax::Json => serde_json::from_str(text).map_err(|error| format!("is no JSON with pipes: {error}")),
        Syntax::Toml => toml::from_str(text).map_err(|error| format!("is no TOML with pipes: {error}")),
        Syntax::Yaml => {
            serde_saphyr::from_str(text).map_err(|error| format!("is no YAML with pipes: {error}"))
        }
    }
}
