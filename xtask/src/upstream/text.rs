//! What the upstream says: deterministic tokens, tool arguments and where a long answer comes from.
use super::json::{escape, put};

/// Tokens of an answer when the scenario does not say otherwise.
pub const DEFAULT_TOKENS: u64 = 60;
/// Bytes of one token of a `bytes=N` answer.
pub(super) const FILLER: usize = 1024;
/// Tokens of the reasoning before an answer.
pub(super) const THOUGHTS: u64 = 5;
/// What a refusing answer says.
pub(super) const REFUSAL: &str = "I'm sorry, but I can't help with that.";
/// The signature that ends a thinking block.
pub(super) const SIGNATURE: &str = "EqQBCkYIBxgCIkCq3Xp0aZ8mVn5yT2w==";

/// Streamed pieces of a tool call's arguments; some end inside an escape. The number of the call goes between the last two.
const FRAGMENTS: [&str; 8] = [
    "{\"query\":\"say \\",
    "\"hi\\\" caf\\u00",
    "e9\",\"path\":\"C:\\\\tmp\\n\",",
    "\"city\":\"東京",
    " 特別\",\"mood\":\"🦀",
    "👩\u{200d}💻\"",
    ",\"call\":",
    "}",
];

/// The text of an answer of `tokens` tokens, the same unary and streamed.
#[must_use]
pub fn text(tokens: u64) -> String {
    (0..tokens).map(token).collect()
}

/// The arguments (JSON text) of tool call number `call` out of `calls`; the last of three or more takes none.
#[must_use]
pub fn arguments(call: usize, calls: usize) -> String {
    (0..).map_while(|n| fragment(call, calls, n)).collect()
}

/// Whether this call has no arguments: the last of three or more.
pub(super) fn is_bare(call: usize, calls: usize) -> bool {
    calls >= 3 && call + 1 == calls
}

/// Piece number `n` of the arguments of a call.
pub(super) fn fragment(call: usize, calls: usize, n: usize) -> Option<String> {
    if is_bare(call, calls) {
        return (n == 0).then(|| "{}".to_owned());
    }
    let last = FRAGMENTS.len() - 1;
    match n {
        n if n < last => Some(FRAGMENTS[n].to_owned()),
        n if n == last => Some(call.to_string()),
        n if n == last + 1 => Some(FRAGMENTS[last].to_owned()),
        _ => None,
    }
}

fn token(i: u64) -> String {
    format!("{}tok{i}{}", if i == 0 { "" } else { " " }, tail(i))
}

/// The part of a token that makes parsers work: wide characters, a quote, a line end.
fn tail(i: u64) -> &'static str {
    match i % 20 {
        3 | 13 => "汉字",
        7 => "🦀",
        9 => "\"q\"",
        15 => "é\n",
        17 => "👩\u{200d}💻",
        _ => "",
    }
}

/// The reasoning before an answer, in tokens.
pub(super) fn thought(i: u64) -> String {
    format!("{}think{i}", if i == 0 { "" } else { " " })
}

/// The whole reasoning.
pub(super) fn thoughts() -> String {
    (0..THOUGHTS).map(thought).collect()
}

/// Where the tokens of one answer come from; no variant holds a long answer in memory.
#[derive(Debug)]
pub(super) enum Source {
    /// `tok0 tok1 …`.
    Words(u64),
    /// This many bytes of filler in tokens of [`FILLER`] bytes.
    Filler(u64),
    /// Exactly these tokens.
    Fixed(Vec<String>),
}

impl Source {
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Words(count) => *count,
            Self::Filler(bytes) => bytes.div_ceil(FILLER as u64),
            Self::Fixed(tokens) => tokens.len() as u64,
        }
    }

    /// Appends token `i` as the inside of a JSON string.
    pub(super) fn write(&self, i: u64, out: &mut Vec<u8>) {
        match self {
            Self::Words(_) => {
                put(out, format_args!("{}tok{i}", if i == 0 { "" } else { " " }));
                escape(out, tail(i));
            }
            Self::Filler(bytes) => {
                let left = bytes.saturating_sub(i * FILLER as u64).min(FILLER as u64);
                out.resize(out.len() + usize::try_from(left).unwrap_or(FILLER), b'x');
            }
            Self::Fixed(tokens) => {
                if let Some(token) = usize::try_from(i).ok().and_then(|i| tokens.get(i)) {
                    escape(out, token);
                }
            }
        }
    }

    /// Bytes that all tokens take inside a JSON string. O(tokens), except for filler.
    pub(super) fn json_len(&self) -> u64 {
        if let Self::Filler(bytes) = self {
            return *bytes;
        }
        let mut scratch = Vec::with_capacity(32);
        (0..self.count()).fold(0, |sum, i| {
            scratch.clear();
            self.write(i, &mut scratch);
            sum + scratch.len() as u64
        })
    }

    /// What is left after `said`, in the same tokens but for the first; `None` if the text does not begin with it.
    pub(super) fn after(&self, said: &str) -> Option<Self> {
        let tokens: Vec<String> = match self {
            Self::Words(count) => (0..*count).map(token).collect(),
            Self::Filler(_) => return None,
            Self::Fixed(tokens) => tokens.clone(),
        };
        let mut said = said;
        let mut rest = Vec::new();
        for token in tokens {
            if let Some(further) = said.strip_prefix(token.as_str()) {
                said = further;
            } else {
                rest.push(token.strip_prefix(std::mem::take(&mut said))?.to_owned());
            }
        }
        said.is_empty().then_some(Self::Fixed(rest))
    }

    /// Cuts a text into tokens of 16 characters.
    pub(super) fn cut(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        Self::Fixed(chars.chunks(16).map(|piece| piece.iter().collect()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, arguments, fragment, text};

    #[test]
    fn arguments_are_json_and_split_inside_an_escape() {
        let value: serde_json::Value = serde_json::from_str(&arguments(1, 3)).unwrap();
        assert_eq!(value["query"], "say \"hi\" café");
        assert_eq!(value["path"], "C:\\tmp\n");
        assert_eq!(value["call"], 1);
        assert_eq!(arguments(2, 3), "{}");
        assert!(fragment(0, 1, 0).unwrap().ends_with('\\'));
    }

    #[test]
    fn lengths_are_those_of_what_is_written() {
        for source in [Source::Words(45), Source::Filler(2500), Source::cut("a\"汉")] {
            let mut out = Vec::new();
            (0..source.count()).for_each(|i| source.write(i, &mut out));
            assert_eq!(out.len() as u64, source.json_len());
        }
        let whole = text(20);
        for at in (0..=whole.len()).filter(|at| whole.is_char_boundary(*at)) {
            let rest = Source::Words(20).after(&whole[..at]).unwrap();
            let mut out = String::new();
            let Source::Fixed(tokens) = rest else { panic!("{rest:?}") };
            tokens.iter().for_each(|token| out.push_str(token));
            assert_eq!(out, whole[at..]);
        }
        assert!(Source::Words(20).after("tok1").is_none() && Source::Words(1).after("tok0 tok1").is_none());
        assert!(text(60).starts_with("tok0 tok1 tok2 tok3汉字 tok4"));
    }
}
