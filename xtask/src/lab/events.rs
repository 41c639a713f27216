//! The events of a stream, as a careful client reads them.

/// One event: its name, if it has one, and its data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) name: &'a str,
    pub(crate) data: String,
}

/// The events of a body. Comments are left out, and so is an event without its blank line: it was cut.
pub(crate) fn events(body: &str) -> Vec<Event<'_>> {
    let (mut all, mut name, mut data) = (Vec::new(), "", None::<String>);
    for line in body.split_inclusive('\n') {
        let Some(line) = line.strip_suffix('\n') else { break };
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            all.extend(data.take().map(|data| Event { name: std::mem::take(&mut name), data }));
        } else if let Some(value) = line.strip_prefix("event:") {
            name = value.trim_start();
        } else if let Some(value) = line.strip_prefix("data:") {
            let value = value.strip_prefix(' ').unwrap_or(value);
            data = Some(data.map_or_else(|| value.to_owned(), |before| before + "\n" + value));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_left_out_and_an_event_that_was_cut_is_none() {
        let body = ": hello\n\nevent: a\r\ndata: 1\r\ndata: 2\r\n\r\ndata:3\n\ndata: 4\n";
        let wanted = [Event { name: "a", data: "1\n2".to_owned() }, Event { name: "", data: "3".to_owned() }];
        assert_eq!(events(body), wanted);
    }
}
