//! The file of pipes: read whole, then as YAML, JSON or TOML.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use pipe_graph::{Configured, GraphBuilder, Pipe, PipeGraph, PipeId, Problem};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// More than this is refused before it fills the memory: room for a few million pipes.
const MOST: u64 = 512 << 20;

/// What the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declared {
    pub(super) pipes: Pipes,
    pub(super) request: Option<Vec<PipeId>>,
}

/// The pipes, taken into the graph one by one: a list of a million would be three times as large as their graph.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) graph: GraphBuilder,
    /// Pipes with a `processing_mode` nobody knows.
    pub(super) modes: Vec<(PipeId, Problem)>,
}

impl Default for Pipes {
    fn default() -> Self {
        Self { graph: PipeGraph::builder(), modes: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Pipes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(OneByOne)
    }
}

struct OneByOne;

impl<'de> Visitor<'de> for OneByOne {
    type Value = Pipes;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of pipes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pipes, A::Error> {
        let mut pipes = Pipes::default();
        while let Some(pipe) = list.next_element::<Pipe>()? {
            pipes.modes.extend(Configured::problem(&pipe).map(|problem| (pipe.id.clone(), problem)));
            pipes.graph.add(pipe);
        }
        Ok(pipes)
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
        Syntax::Yaml => serde_saphyr::from_str_with_options(text, yaml_options())
            .map_err(|error| format!("is no YAML with pipes: {error}")),
    }
}

/// The size of the file bounds these; what an alias can blow up stays bounded as it is.
fn yaml_options() -> serde_saphyr::Options {
    const MOST_BYTES: usize = MOST as usize;
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MOST_BYTES,
            max_events: MOST_BYTES,
            max_total_scalar_bytes: MOST_BYTES,
        },
    }
}
