//! The language: what is written is read, what is wrong is said at its place.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exec_query::{Condition, Language, Limits, Problems, Query, normalise};
use proptest::prelude::*;

use crate::world::{query, schema};

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn parse(text: &str) -> Result<Query, Problems> {
    Language::new(schema(true), now()).parse(text)
}

/// The query, written again.
fn again(text: &str) -> String {
    parse(text).unwrap_or_else(|problems| panic!("{}", problems.show(text))).render(schema(true))
}

#[test]
fn what_people_write_is_read() {
    for (written, meant) in [
        ("", "*"),
        ("  error  ", "error"),
        ("time out", "time out"),
        ("\"time out\"", "\"time out\""),
        ("time-out", "\"time-out\""),
        ("status:failed,ok", "status:failed,ok"),
        ("status=ok", "status:ok"),
        ("status:\"it's \\\"x\\\"\"", "status:\"it's \\\"x\\\"\""),
        ("status!=ok", "status!=ok"),
        ("-status:ok", "-status:ok"),
        ("NOT status:ok", "-status:ok"),
        ("cost>0.01", "cost>0.01"),
        ("cost:>=0.5", "cost>=0.5"),
        ("cost:0.5..1", "cost:0.5..1"),
        ("score:0.5..<1,2", "score:0.5..<1,2"),
        ("score:..1", "score<=1"),
        ("score:-1.5", "score:-1.5"),
        ("stream:yes", "stream:true"),
        ("stream!=no", "stream:true"),
        ("stream<1", "stream:false"),
        ("stream:no,yes", "stream:true,false"),
        ("since:2h", "started>=2001-09-08T23:46:40Z"),
        ("until:2001-09-08", "started<=2001-09-08T23:59:59Z"),
        ("started:2001-09-08", "started:2001-09-08T00:00:00Z..2001-09-08T23:59:59Z"),
        ("message:timeout", "message:timeout"),
        ("message~\"conn ref\"", "message~\"conn ref\""),
        ("~imeo", "~imeo"),
        ("has:cost", "has:cost"),
        ("a OR b c", "a OR (b c)"),
        ("(a OR b) c", "(a OR b) c"),
        ("a AND b", "a b"),
        ("-(a b)", "-(a b)"),
        ("a - b", "a \"-\" b"),
        ("error sort:-started,cost limit:5 show:full", "error sort:-started,cost limit:5 show:full"),
        ("sort:cost after:null,7", "sort:cost after:null,7"),
        ("id:7", "id:7"),
        ("\"OR\"", "\"OR\""),
        ("or", "or"),
    ] {
        assert_eq!(again(written), meant, "{written}");
        assert_eq!(parse(meant).unwrap(), parse(written).unwrap(), "{written}");
    }
}

#[test]
fn what_is_wrong_is_said_at_its_place_and_all_at_once() {
    let text = "statsu:ok cost>cheap started<soon http://x limit:many (a OR";
    let problems = parse(text).unwrap_err();
    insta::assert_snapshot!(problems.show(text), @r#"
    statsu:ok cost>cheap started<soon http://x limit:many (a OR
    ^^^^^^ column 1: there is no field `statsu`; did you mean `status`?
    statsu:ok cost>cheap started<soon http://x limit:many (a OR
                   ^^^^^ column 16: this is not an amount; write an amount with at most 2 digits behind the point, such as 0.5
    statsu:ok cost>cheap started<soon http://x limit:many (a OR
                                 ^^^^ column 30: this is not a time; write a time such as 2h, 7d, 2026-01-31 or 2026-01-31T08:00:00Z
    statsu:ok cost>cheap started<soon http://x limit:many (a OR
                                      ^^^^ column 35: there is no field `http`; there are id, status, started, cost, score, stream, prompt, message; to search for the text itself, quote all of it
    …st>cheap started<soon http://x limit:many (a OR
                                                    ^ column 60: a condition is missing here; write what to search for, or quote words such as "OR"
    …ok cost>cheap started<soon http://x limit:many (a OR
                                                    ^ column 55: this parenthesis is never closed; add a ) where it ends
    …atsu:ok cost>cheap started<soon http://x limit:many (a OR
                                                    ^^^^ column 50: this is not a number of rows; write limit:20
    "#);
}

#[test]
fn each_mistake_has_its_own_words() {
    for (text, column, words) in [
        ("error \"time out", 7, "this quote has no end"),
        ("a )", 3, "never opened"),
        ("()", 2, "a condition is missing"),
        ("a OR", 5, "a condition is missing"),
        ("AND a", 1, "missing beside AND"),
        ("NOT", 1, "missing behind this"),
        ("status:", 8, "a value is missing"),
        ("status:a,,b", 10, "a value is missing"),
        ("stream:2", 8, "this is not true or false"),
        ("stream:-1", 8, "this is not true or false"),
        ("cost:5..1", 1, "nothing lies in this range"),
        ("cost:1..2..3", 10, "ended before this"),
        ("cost>1,2", 1, "takes one value"),
        ("prompt>a", 1, "prose: it has no order"),
        ("prompt:a,b", 1, "one text is looked for"),
        ("message:\"\"", 9, "no text"),
        ("cost~1", 0, "has no substrings"),
        ("has:coast", 5, "did you mean `cost`"),
        ("(sort:cost)", 2, "holds for the whole query"),
        ("-limit:5", 2, "holds for the whole query"),
        ("sort:prompt", 6, "has no order"),
        ("sort:cots", 6, "did you mean `cost`"),
        ("limit:5 limit:6", 9, "twice"),
        ("limit:2000", 0, "at most 1000 rows"),
        ("show:all", 6, "no level of detail"),
        ("sort:cost after:7", 11, "has 2 values"),
        ("é äö statsu:x", 6, "did you mean `status`"),
    ] {
        let problems = parse(text).unwrap_err();
        let found = problems.0.iter().any(|problem| {
            problem.to_string().contains(words) && problem.column(text).unwrap_or(0) == column
        });
        assert!(found, "{text}: {}", problems.show(text));
    }
}

#[test]
fn limits_are_checked_before_anything_else() {
    let limits = Limits { bytes: 100, depth: 3, terms: 8, values: 4, rows: 10 };
    let language = Language::new(schema(true), now()).limits(limits);
    for (text, words) in [
        ("a".repeat(101), "has 101 bytes"),
        ("(".repeat(20) + "a", "nested more than 3 deep"),
        ("--------a".to_owned(), "nested more than 3 deep"),
        ("a ".repeat(9), "more than 8 terms"),
        ("cost:1,3,5,7,9".to_owned(), "more than 4 values"),
        ("a limit:11".to_owned(), "at most 10 rows"),
    ] {
        let problems = language.parse(&text).unwrap_err();
        assert!(problems.to_string().contains(words), "{text}: {problems}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// For queries made by hand and not by reading, an `and` of one or none is read back as what it means.
    #[test]
    fn what_is_rendered_is_read_as_the_same_query(query in query()) {
        let text = query.render(schema(true));
        let limits = Limits { terms: 10_000, depth: 120, ..Limits::default() };
        let language = Language::new(schema(true), now()).limits(limits);
        let read = language.parse(&text).map_err(|problems| TestCaseError::fail(problems.show(&text)))?;
        let rest = |query: &Query| (query.sort.clone(), query.limit, query.detail, query.after.clone());
        prop_assert_eq!(rest(&read), rest(&query), "{}", text);
        let normal = |condition: &Condition| normalise(condition.clone(), schema(true));
        prop_assert_eq!(normal(&read.condition), normal(&query.condition), "{}", text);
        // Once read, nothing changes any more.
        let again = read.render(schema(true));
        prop_assert_eq!(language.parse(&again).unwrap(), read, "{}", again);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*|[ a-c:=<>~()\"\\\\.,*-]{0,80}|(status|cost|sort|limit|after|OR|NOT|[:\"(),. -]){0,20}") {
        if let Err(problems) = parse(&text) {
            prop_assert!(!problems.0.is_empty() && problems.0.len() <= 16);
            prop_assert!(!problems.show(&text).is_empty());
            for problem in &problems.0 {
                prop_assert!(problem.at.as_ref().is_none_or(|at| at.end <= text.len() + 1), "{problem:?}");
            }
        }
    }
}
