//! Server-sent events: the standard's rules, and the same events for any way to cut the bytes.

use bytes::Bytes;
use exec_providers::http::sse::{SseEnd, SseError, SseEvent, SseParser};
use proptest::prelude::*;

type Parsed = (Vec<(String, String, String)>, Option<SseError>, SseEnd, u64);

fn seen(event: &SseEvent) -> (String, String, String) {
    (
        event.name().to_owned(),
        event.text().to_owned(),
        event.id().to_owned(),
    )
}

fn parse<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Parsed {
    let mut parser = SseParser::new(limit);
    let (mut events, mut error) = (Vec::new(), None);
    for chunk in chunks {
        parser.push(Bytes::copy_from_slice(chunk));
        for step in parser.by_ref() {
            match step {
                Ok(event) => events.push(seen(&event)),
                Err(cause) => error = Some(cause),
            }
        }
    }
    (events, error, parser.finish(), parser.comments_seen())
}

fn whole(bytes: &[u8]) -> Vec<(String, String, String)> {
    parse([bytes], 1 << 20).0
}

fn data(bytes: &[u8]) -> Vec<String> {
    whole(bytes).into_iter().map(|event| event.1).collect()
}

#[test]
fn fields_follow_the_standard() {
    assert_eq!(
        data(b"data: a\n\ndata:b\r\n\r\ndata:  c\r\rdata\n\ndata:\n\n"),
        ["a", "b", " c", "", ""]
    );
    assert_eq!(data(b"data: 1\ndata: 2\ndata:\n\n"), ["1\n2\n"]);
    assert_eq!(
        data(b"dat: x\ndatas: y\nretry: 5\nunknown\n: c\ndata: z\n\n"),
        ["z"]
    );
    assert_eq!(data(b"event: lonely\n\ndata: next\n\n"), ["next"]);
    assert_eq!(data("\u{feff}data: x\n\n".as_bytes()), ["x"]);
    assert_eq!(
        data("\u{feff}\u{feff}data: x\n\n".as_bytes()),
        [""; 0],
        "only the first mark is cut"
    );
    let events = whole(b"event: a\nid: 7\ndata: 1\n\ndata: 2\n\nid: \0\ndata: 3\n\nid\ndata: 4\n\n");
    let ids: Vec<_> = events
        .iter()
        .map(|(name, _, id)| (name.as_str(), id.as_str()))
        .collect();
    assert_eq!(ids, [("a", "7"), ("", "7"), ("", "7"), ("", "")]);
}

#[test]
fn a_carriage_return_ends_an_event_at_once() {
    let mut parser = SseParser::new(100);
    parser.push(Bytes::from_static(b"data: a\r\n\r"));
    assert_eq!(parser.next().unwrap().unwrap().text(), "a");
    parser.push(Bytes::from_static(b"\ndata: b\n\n"));
    assert_eq!(parser.next().unwrap().unwrap().text(), "b");
    assert!(parser.next().is_none());
    assert_eq!(parser.finish(), SseEnd::Clean);
}

#[test]
fn one_line_of_one_chunk_is_not_copied() {
    let chunk = Bytes::from(b"event: delta\ndata: hello\n\n".to_vec());
    let mut parser = SseParser::new(100);
    parser.push(chunk.clone());
    let event = parser.next().unwrap().unwrap();
    assert!(chunk.as_ptr_range().contains(&event.data.as_ptr()));
}

#[test]
fn the_end_tells_what_was_pending() {
    let end = |bytes: &[u8]| parse([bytes], 100).2;
    assert_eq!(end(b""), SseEnd::Clean);
    assert_eq!(end(b"data: a\n\n: ping\n"), SseEnd::Clean);
    for cut in [
        &b"data: a\n"[..],
        b"data: a",
        b"event: x\n",
        b"\xef",
        b"\xef\xbb",
        b"data: a\n\nd",
    ] {
        assert_eq!(end(cut), SseEnd::Unterminated, "{cut:?}");
    }
}

#[test]
fn comments_are_activity_but_not_events() {
    let mut parser = SseParser::new(100);
    parser.push(Bytes::from_static(b": ping\n\n: pong\n"));
    assert!(parser.next().is_none());
    assert_eq!((parser.comments_seen(), parser.bytes_seen()), (2, 15));
}

#[test]
fn bad_text_is_an_error_and_the_end() {
    let (events, error, ..) = parse([&b"data: ok\n\ndata: \xff\n\ndata: late\n\n"[..]], 100);
    assert_eq!((events.len(), error), (1, Some(SseError::InvalidUtf8)));
    assert_eq!(data(b": \xff\n\xfe: x\ndata: ok\n\n"), ["ok"]);
}

#[test]
fn size_is_bounded_in_a_line_and_over_lines() {
    let too_large = Some(SseError::TooLarge { limit: 32 });
    let lines = b"data: 0123456789\n".repeat(3);
    assert_eq!(parse([&lines[..]], 32).1, too_large);
    let endless = std::iter::repeat_n(&b"xxxxxxxx"[..], 1000);
    assert_eq!(parse(endless, 32).1, too_large);
    let pings = std::iter::repeat_n(&b": ping ping\n"[..], 1000);
    assert_eq!(parse(pings, 32).1, None, "comments do not add up");
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof!["[a-zé€😀: ]{0,12}", Just(String::new())];
    let field = prop_oneof![
        4 => text.clone().prop_map(|text| format!("data: {text}")),
        1 => text.clone().prop_map(|text| format!("data:{text}")),
        1 => Just("data".to_owned()),
        1 => text.clone().prop_map(|text| format!("event: {text}")),
        1 => text.clone().prop_map(|text| format!("id: {text}")),
        1 => text.clone().prop_map(|text| format!(": {text}")),
        1 => text.prop_map(|text| format!("other: {text}")),
        4 => Just(String::new()),
    ];
    let bytes = prop_oneof![30 => field.prop_map(String::into_bytes), 1 => Just(b"data: \xff\xfe".to_vec())];
    (bytes, prop_oneof![Just("\n"), Just("\r\n"), Just("\r")])
        .prop_map(|(bytes, end)| [bytes, end.as_bytes().to_vec()].concat())
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![4 => Just(0_usize), 1 => Just(3), 1 => Just(2), 1 => Just(1)];
    (start, prop::collection::vec(line(), 0..24), 0..4_usize).prop_map(|(bom, lines, cut)| {
        let mut bytes = b"\xef\xbb\xbf"[..bom].to_vec();
        bytes.extend(lines.concat());
        bytes.truncate(bytes.len().saturating_sub(cut));
        bytes
    })
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_events(bytes in stream(), limit in 16_usize..80,
                                     cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let expected = parse([&bytes[..]], limit);
        for at in 0..=bytes.len() {
            prop_assert_eq!(&parse([&bytes[..at], &bytes[at..]], limit), &expected);
        }
        prop_assert_eq!(&parse(bytes.chunks(1), limit), &expected);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(&parse(pieces, limit), &expected);
    }

    #[test]
    fn events_match_a_plain_reading(bytes in stream()) {
        let (events, error, ..) = parse([&bytes[..]], 1 << 20);
        if error.is_none() && let Ok(text) = String::from_utf8(bytes) {
            prop_assert_eq!(events, model(&text));
        }
    }
}

/// The standard's algorithm in its plainest form, on the whole text.
fn model(text: &str) -> Vec<(String, String, String)> {
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let (mut events, mut name, mut data, mut id) = (Vec::new(), String::new(), None::<String>, String::new());
    if text.rfind('\n').is_none() {
        return events;
    }
    for line in complete.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                let name = std::mem::take(&mut name);
                events.extend(data.take().map(|data| (name, data, id.clone())));
            }
            "data" => data = Some(data.map_or(value.to_owned(), |data| data + "\n" + value)),
            "event" => value.clone_into(&mut name),
            "id" => value.clone_into(&mut id),
            _ => {}
        }
    }
    events
}

/// `cargo test --release -p exec-providers sse_speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
fn sse_speed() {
    let event = format!("data: {}\n\n", "x".repeat(192));
    let chunk = Bytes::from(event.repeat(80));
    let rounds = 200_000_000 / chunk.len();
    let mut parser = SseParser::new(1 << 20);
    let (start, mut count) = (tokio::time::Instant::now(), 0_usize);
    for _ in 0..rounds {
        parser.push(chunk.clone());
        count += parser.by_ref().filter(Result::is_ok).count();
    }
    assert_eq!(count, rounds * 80);
    let seconds = start.elapsed().as_secs_f64();
    println!("{:.2} GB/s", (rounds * chunk.len()) as f64 / seconds / 1e9);
}
