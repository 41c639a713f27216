//! Words are parted as FTS5 parts them: every character, every stem, every phrase.

use exec_query::{Diacritics, Phrase, Tokenizer};
use proptest::prelude::*;
use rusqlite::Connection;

fn tokenizers() -> Vec<(&'static str, Tokenizer)> {
    vec![
        ("unicode61", Tokenizer::unicode61()),
        ("unicode61 remove_diacritics 0", Tokenizer::unicode61().diacritics(Diacritics::Keep)),
        ("unicode61 remove_diacritics 2", Tokenizer::unicode61().diacritics(Diacritics::Remove)),
        (
            "unicode61 tokenchars '-_é' separators 'xä1'",
            Tokenizer::unicode61().token_chars("-_é").separators("xä1"),
        ),
        ("porter", Tokenizer::porter()),
        ("porter unicode61 remove_diacritics 2", Tokenizer::porter().diacritics(Diacritics::Remove)),
    ]
}

/// The words FTS5 finds in a text, in order.
fn words(db: &Connection, option: &str, text: &str) -> Vec<String> {
    let option = option.replace('\'', "''");
    db.execute_batch(&format!(
        "CREATE VIRTUAL TABLE t USING fts5(a, tokenize='{option}'); CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance');"
    ))
    .unwrap();
    db.execute("INSERT INTO t VALUES (?)", [text]).unwrap();
    let mut statement = db.prepare("SELECT CAST(term AS BLOB) FROM v ORDER BY doc, offset").unwrap();
    let words = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .unwrap()
        .map(|word| String::from_utf8(word.unwrap()).unwrap_or_default())
        .collect();
    drop(statement);
    db.execute_batch("DROP TABLE v; DROP TABLE t;").unwrap();
    words
}

#[test]
fn every_character_is_treated_as_fts5_treats_it() {
    let db = Connection::open_in_memory().unwrap();
    for (option, tokenizer) in tokenizers() {
        // What no option changes is looked at once.
        let last = if option == "unicode61" { char::MAX } else { '\u{2fff}' };
        let all: Vec<char> = ('\0'..=last).collect();
        for part in all.chunks(40_000) {
            let text: String = part.iter().flat_map(|c| ['q', *c, 'q', ' ']).collect();
            let (ours, theirs) = (tokenizer.words(&text), words(&db, option, &text));
            let first = ours.iter().zip(&theirs).position(|(a, b)| a != b);
            let shown = first.map(|at| (&ours[at], &theirs[at]));
            assert!(ours == theirs, "{option}: {:?} {shown:?}", part.first());
        }
    }
}

/// Endings that the stemmer looks at.
const ENDINGS: [&str; 39] = [
    "s", "es", "ies", "sses", "eed", "ed", "ing", "ational", "tional", "enci", "izer", "logi", "bli", "alli",
    "entli", "ousli", "ization", "ator", "alism", "iveness", "fulness", "aliti", "biliti", "icate", "ative",
    "alize", "ical", "ness", "ance", "ement", "ment", "ion", "ous", "ive", "ize", "y", "e", "ll", "",
];

fn word() -> impl Strategy<Value = String> {
    let ending = || prop::sample::select(&ENDINGS[..]);
    ("[a-zé]{0,6}", ending(), ending()).prop_map(|(stem, a, b)| stem + a + b)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn words_are_stemmed_as_fts5_stems_them(list in proptest::collection::vec(word(), 1..60)) {
        let db = Connection::open_in_memory().unwrap();
        let text = list.join(" ");
        prop_assert_eq!(Tokenizer::porter().words(&text), words(&db, "porter", &text));
    }

    #[test]
    fn a_phrase_is_found_where_fts5_finds_it(
        text in "([a-cA-Cé\u{301}\u{0}-]| |ing){0,12}",
        phrase in "([a-cA-Cé\u{301}\u{0}\"*^:(){}+-]| |ing| OR | NEAR ){0,5}",
        which in 0..6_usize,
    ) {
        let (option, tokenizer) = tokenizers().swap_remove(which);
        let db = Connection::open_in_memory().unwrap();
        let option = option.replace('\'', "''");
        db.execute_batch(&format!("CREATE VIRTUAL TABLE t USING fts5(a, tokenize='{option}')")).unwrap();
        db.execute("INSERT INTO t VALUES (?)", [&text]).unwrap();
        let parts: Vec<_> = phrase.split('\0').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
        let found: i64 =
            db.query_row("SELECT count(*) FROM t WHERE t MATCH ?", [parts.join(" + ")], |row| row.get(0)).unwrap();
        prop_assert_eq!(Phrase::new(&tokenizer, &phrase).is_in(&text), found == 1);
    }
}
