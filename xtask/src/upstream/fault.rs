//! The fault specification: text such as `tokens=5,gap=20ms,cut=3` into [`Faults`]. The table is in the parent module.
use std::time::Duration;

/// Largest `tokens=`.
const MAX_TOKENS: u64 = 10_000_000;
/// Largest `tools=`.
const MAX_TOOLS: u64 = 128;

/// Where an answer stops being a good answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    /// RST.
    Reset,
    /// The connection is closed, the body is not ended.
    Cut,
    /// The body is ended, the answer is not.
    CutClean,
    /// Nothing more is sent, the connection stays.
    Stall,
    /// An error event inside the stream.
    Error,
}

/// How a body is cut into HTTP chunks and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Split {
    #[default]
    Events,
    Bytes,
    Utf8,
}

/// What happens instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instead {
    Hang,
    Reset,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Usage {
    #[default]
    Faithful,
    None,
    Each,
    Nonempty,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ToolIndex {
    #[default]
    Faithful,
    Zero,
    Missing,
    One,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    ContentFilter,
    ToolCalls,
}

/// A parsed specification; the default is a faithful answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) spec: String,
    pub(super) tokens: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) gap: Duration,
    pub(super) first: Duration,
    pub(super) headers: Duration,
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
    pub(super) retry_after: Option<String>,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) instead: Option<Instead>,
    pub(super) reset_headers: bool,
    pub(super) stop: Option<(u64, Break)>,
    pub(super) cut_bytes: Option<u64>,
    pub(super) malformed: Option<u64>,
    pub(super) no_done: bool,
    pub(super) split: Split,
    pub(super) crlf: bool,
    pub(super) comments: bool,
    pub(super) ping: bool,
    pub(super) usage: Usage,
    pub(super) tool_index: ToolIndex,
    pub(super) tools: u64,
    pub(super) echo: bool,
    pub(super) flap: Option<u64>,
    pub(super) times: Option<u64>,
    pub(super) lasts: Option<Duration>,
    pub(super) no_prefill: bool,
    pub(super) unlimited: bool,
    pub(super) finish: Option<Finish>,
    pub(super) refuse: bool,
    pub(super) no_content: bool,
    pub(super) reasoning: bool,
}

impl Faults {
    /// Parses a specification; the error says which part is wrong.
    pub(super) fn parse(spec: &str) -> Result<Self, String> {
        let mut faults = Self { spec: spec.to_owned(), ..Self::default() };
        let mut parts = spec.split(',');
        while let Some(part) = parts.next() {
            let (name, value) = part.trim().split_once('=').unwrap_or((part.trim(), ""));
            // An HTTP date has a comma after its weekday.
            if name == "retry-after" && value.len() == 3 && value.bytes().all(|b| b.is_ascii_alphabetic()) {
                faults.retry_after = Some(format!("{value},{}", parts.next().unwrap_or("")));
            } else if !name.is_empty() {
                faults.set(name, value).map_err(|reason| format!("bad fault `{part}`: {reason}"))?;
            }
        }
        Ok(faults)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "tokens" => self.tokens = Some(number(value, MAX_TOKENS)?),
            "bytes" => self.bytes = Some(size(value)?),
            "gap" => self.gap = duration(value)?,
            "first" => self.first = duration(value)?,
            "headers" => self.headers = duration(value)?,
            "tools" => self.tools = number(value, MAX_TOOLS)?,
            "finish" => self.finish = Some(finish(value)?),
            "usage" => self.usage = usage(value)?,
            "toolindex" => self.tool_index = tool_index(value)?,
            "status" => self.status = Some(status(value)?),
            "error" => self.error = Some(error(value)?),
            "retry-after" => self.retry_after = Some(value.to_owned()),
            "retry-after-ms" => self.retry_after_ms = Some(number(value, u64::MAX)?),
            "flap" => self.flap = Some(number(value, u64::MAX)?),
            "times" => self.times = Some(number(value, u64::MAX)?),
            "for" => self.lasts = Some(duration(value)?),
            "malformed" => self.malformed = Some(number(value, u64::MAX)?),
            _ => return self.set_break(name, value),
        }
        Ok(())
    }

    fn set_break(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (name, value) {
            ("hang", "") => self.instead = Some(Instead::Hang),
            ("reset", "before") => self.instead = Some(Instead::Reset),
            ("reset", "headers") => self.reset_headers = true,
            ("cut-bytes", _) => self.cut_bytes = Some(size(value)?),
            _ => match break_named(name) {
                Some(what) => self.stop = Some((number(value, u64::MAX)?, what)),
                None => return self.set_flag(name, value),
            },
        }
        Ok(())
    }

    fn set_flag(&mut self, name: &str, value: &str) -> Result<(), String> {
        let flag = match name {
            "no-done" => &mut self.no_done,
            "crlf" => &mut self.crlf,
            "comments" => &mut self.comments,
            "ping" => &mut self.ping,
            "echo" => &mut self.echo,
            "refuse" => &mut self.refuse,
            "no-content" => &mut self.no_content,
            "no-prefill" => &mut self.no_prefill,
            "unlimited" => &mut self.unlimited,
            "reasoning" => &mut self.reasoning,
            "bytewise" => return self.set_split(Split::Bytes, value),
            "utf8split" => return self.set_split(Split::Utf8, value),
            _ => return Err(format!("unknown name `{name}`")),
        };
        *flag = true;
        no_value(value)
    }

    fn set_split(&mut self, split: Split, value: &str) -> Result<(), String> {
        self.split = split;
        no_value(value)
    }
}

fn no_value(value: &str) -> Result<(), String> {
    if value.is_empty() { Ok(()) } else { Err("it takes no value".to_owned()) }
}

fn break_named(name: &str) -> Option<Break> {
    Some(match name {
        "reset" => Break::Reset,
        "cut" => Break::Cut,
        "cut-clean" => Break::CutClean,
        "stall" => Break::Stall,
        "stream-error" => Break::Error,
        _ => return None,
    })
}

fn number(value: &str, max: u64) -> Result<u64, String> {
    match value.parse() {
        Ok(number) if number <= max => Ok(number),
        _ => Err(format!("`{value}` is not a number up to {max}")),
    }
}

fn size(value: &str) -> Result<u64, String> {
    let (digits, unit) = match value.as_bytes().last() {
        Some(b'k') => (&value[..value.len() - 1], 1 << 10),
        Some(b'M') => (&value[..value.len() - 1], 1 << 20),
        _ => (value, 1),
    };
    Ok(number(digits, u64::from(u32::MAX))? * unit)
}

fn duration(value: &str) -> Result<Duration, String> {
    let bad = || format!("`{value}` is not a duration such as 20ms or 2s");
    let unit = value.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
    let scale = match &value[unit..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(bad()),
    };
    let amount: f64 = value[..unit].parse().map_err(|_| bad())?;
    Duration::try_from_secs_f64(amount * scale).map_err(|_| bad())
}

fn status(value: &str) -> Result<u16, String> {
    match value.parse() {
        Ok(code @ (400 | 401 | 403 | 404 | 408 | 409 | 413 | 429 | 500 | 502 | 503 | 504 | 529)) => Ok(code),
        _ => Err(format!("`{value}` is not a status this upstream knows the body of")),
    }
}

fn error(value: &str) -> Result<String, String> {
    if super::error::NAMES.contains(&value) {
        return Ok(value.to_owned());
    }
    Err(format!("`{value}` is none of {}", super::error::NAMES.join(", ")))
}

fn finish(value: &str) -> Result<Finish, String> {
    Ok(match value {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        "content_filter" => Finish::ContentFilter,
        _ => return Err(format!("`{value}` is none of stop, length, content_filter")),
    })
}

fn usage(value: &str) -> Result<Usage, String> {
    Ok(match value {
        "none" => Usage::None,
        "each" => Usage::Each,
        "nonempty" => Usage::Nonempty,
        _ => return Err(format!("`{value}` is none of none, each, nonempty")),
    })
}

fn tool_index(value: &str) -> Result<ToolIndex, String> {
    Ok(match value {
        "zero" => ToolIndex::Zero,
        "missing" => ToolIndex::Missing,
        "one" => ToolIndex::One,
        _ => return Err(format!("`{value}` is none of zero, missing, one")),
    })
}

#[cfg(test)]
mod tests {
    use super::{Break, Faults};
    use std::time::Duration;

    #[test]
    fn a_specification_is_read() {
        let faults = Faults::parse("tokens=5, gap=20ms,cut=3,bytes=2k,crlf").unwrap();
        assert_eq!((faults.tokens, faults.bytes), (Some(5), Some(2048)));
        assert_eq!(faults.gap, Duration::from_millis(20));
        assert_eq!(faults.stop, Some((3, Break::Cut)));
        assert!(faults.crlf);
    }

    #[test]
    fn an_http_date_keeps_its_comma() {
        let faults = Faults::parse("status=429,retry-after=Wed, 21 Oct 2026 07:28:00 GMT,tokens=1").unwrap();
        assert_eq!(faults.retry_after.as_deref(), Some("Wed, 21 Oct 2026 07:28:00 GMT"));
        assert_eq!(faults.tokens, Some(1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for bad in ["nonsense", "gap=5", "status=418", "reset", "crlf=1", "error=x", "tokens=-1"] {
            let reason = Faults::parse(&format!("tokens=1,{bad}")).unwrap_err();
            assert!(reason.contains(&format!("`{bad}`")), "{reason}");
        }
    }
}
