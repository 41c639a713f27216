//! Newline-delimited JSON: the same lines for any way to cut the bytes, in bounded memory.

use bytes::Bytes;
use exec_providers::http::ndjson::{NdjsonError, NdjsonParser};
use proptest::prelude::*;

fn parse<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Result<Vec<Bytes>, NdjsonError> {
    let mut parser = NdjsonParser::new(limit);
    let mut lines = Vec::new();
    for chunk in chunks {
        parser.push(Bytes::copy_from_slice(chunk));
        for line in parser.by_ref() {
            lines.push(line?);
        }
    }
    lines.extend(parser.finish()?);
    Ok(lines)
}

#[test]
fn lines_come_without_their_ends() {
    let lines = parse([&b"{\"a\":1}\r\n\n \r\n{\"b\":2}\n{\"c\":3}"[..]], 100).unwrap();
    assert_eq!(lines, ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
}

#[test]
fn errors_are_typed_and_final() {
    assert_eq!(parse([&b"\"\xff\"\n"[..]], 100), Err(NdjsonError::InvalidUtf8));
    assert_eq!(parse([&b"\"\xff"[..]], 100), Err(NdjsonError::InvalidUtf8));
    let endless = std::iter::repeat_n(&b"xxxxxxxx"[..], 1000);
    assert_eq!(parse(endless, 32), Err(NdjsonError::TooLarge { limit: 32 }));
    let mut parser = NdjsonParser::new(4);
    parser.push(Bytes::from_static(b"12345\n1\n"));
    assert!(matches!(parser.next(), Some(Err(NdjsonError::TooLarge { .. }))));
    assert!(parser.next().is_none());
    assert_eq!(parser.finish(), Ok(None));
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_lines(text in "([a-c€]{0,6}(\r\n|\n|\n\n)){0,8}[a-c]{0,4}", limit in 4_usize..20) {
        let bytes = text.as_bytes();
        let expected = parse([bytes], limit);
        for at in 0..=bytes.len() {
            prop_assert_eq!(&parse([&bytes[..at], &bytes[at..]], limit), &expected);
        }
        prop_assert_eq!(&parse(bytes.chunks(1), limit), &expected);
    }
}
