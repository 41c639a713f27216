//! From characters to tokens, each with its place.

use std::ops::Range;

use crate::problem::{MOST_PROBLEMS, Problem};

/// How a field and its values stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    In,
    NotIn,
    Above,
    AtLeast,
    Below,
    AtMost,
    Contains,
}

impl Op {
    /// The longest come first. A colon before a comparison is a habit from elsewhere.
    const ALL: [(&'static str, Self); 13] = [
        (":>=", Self::AtLeast),
        (":<=", Self::AtMost),
        (":>", Self::Above),
        (":<", Self::Below),
        (":~", Self::Contains),
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("!=", Self::NotIn),
        (":", Self::In),
        ("=", Self::In),
        (">", Self::Above),
        ("<", Self::Below),
        ("~", Self::Contains),
    ];
}

/// One value as it was written.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub(super) text: String,
    pub(super) quoted: bool,
    pub(super) at: Range<usize>,
}

/// A value, or a range of them. `>..` leaves the first out, `..<` the last.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) low: Option<Atom>,
    pub(super) high: Option<Atom>,
    pub(super) is_range: bool,
    pub(super) low_open: bool,
    pub(super) high_open: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Token {
    Open,
    Close,
    Not,
    Or,
    And,
    /// `*`
    Any,
    Words(Atom),
    Substring(Atom),
    Field {
        name: Range<usize>,
        op: Op,
        items: Vec<Item>,
    },
}

#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    pub(super) steps: usize,
    pub(super) problems: Vec<Problem>,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, steps: 0, problems: Vec::new() }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// The length of what fits at the start of the rest.
    fn run(&mut self, fits: impl Fn(char) -> bool) -> usize {
        let rest = self.rest();
        let run = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.steps += run + 1;
        run
    }

    fn take(&mut self, len: usize) -> &'t str {
        let taken = self.rest().get(..len).unwrap_or("");
        self.at += taken.len();
        taken
    }

    /// The next token and where it is; `None` at the end.
    pub(super) fn next(&mut self) -> Option<(Token, Range<usize>)> {
        let blank = self.run(char::is_whitespace);
        self.take(blank);
        let start = self.at;
        let token = match self.rest().chars().next()? {
            '(' => self.single(Token::Open),
            ')' => self.single(Token::Close),
            '"' => Token::Words(self.quoted()),
            '-' if self.starts_term(1) => self.single(Token::Not),
            '~' => {
                self.take(1);
                Token::Substring(self.atom(false))
            }
            _ => self.word(),
        };
        Some((token, start..self.at))
    }

    fn single(&mut self, token: Token) -> Token {
        self.take(1);
        token
    }

    /// Whether something begins so many bytes further on.
    fn starts_term(&self, further: usize) -> bool {
        let next = self.rest().get(further..).and_then(|rest| rest.chars().next());
        next.is_some_and(|c| !c.is_whitespace() && c != ')')
    }

    fn word(&mut self) -> Token {
        let name = self.run(|c| c.is_ascii_alphanumeric() || c == '_');
        let behind = self.rest().get(name..).unwrap_or("");
        let op = Op::ALL.iter().find(|(sign, _)| name > 0 && behind.starts_with(sign));
        if let Some((sign, op)) = op {
            let at = self.at..self.at + name;
            self.take(name + sign.len());
            let items = self.items();
            if self.starts_term(0) && !self.rest().starts_with('(') {
                let hint = "put a blank before it, or quotes around all of the value";
                self.problem(Problem::at(self.at..self.at + 1, "the value ended before this").hint(hint));
            }
            return Token::Field { name: at, op: *op, items };
        }
        let start = self.at;
        let len = self.run(|c| !ends_word(c));
        match self.take(len) {
            "AND" => Token::And,
            "OR" => Token::Or,
            "NOT" => Token::Not,
            "*" => Token::Any,
            text => Token::Words(Atom { text: text.to_owned(), quoted: false, at: start..self.at }),
        }
    }

    /// Values parted by commas, without blanks.
    fn items(&mut self) -> Vec<Item> {
        let mut items = vec![self.item()];
        while self.rest().starts_with(',') {
            self.take(1);
            items.push(self.item());
        }
        items
    }

    fn item(&mut self) -> Item {
        let low = self.atom(true);
        let low_open = self.rest().starts_with(">..");
        let is_range = low_open || self.rest().starts_with("..");
        if !is_range {
            return Item { low: Some(low), high: None, is_range, low_open, high_open: false };
        }
        self.take(if low_open { 3 } else { 2 });
        let high_open = self.rest().starts_with('<');
        self.take(usize::from(high_open));
        let high = self.atom(true);
        Item { low: given(low), high: given(high), is_range, low_open, high_open }
    }

    /// A value: quoted, or up to a blank, a parenthesis, a quote; in a list also up to a comma or the dots of a range.
    fn atom(&mut self, in_list: bool) -> Atom {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let start = self.at;
        let mut len = self.run(|c| !(ends_word(c) || in_list && c == ','));
        if in_list && let Some(dots) = self.rest().get(..len).and_then(|text| text.find("..")) {
            let open = self.rest().get(..dots).is_some_and(|text| text.ends_with('>'));
            // What stands behind the dots is run over once more.
            len = dots - usize::from(open);
        }
        let text = self.take(len).to_owned();
        Atom { text, quoted: false, at: start..self.at }
    }

    /// A text in quotes; `\"` and `\\` stand for themselves, nothing else is an escape.
    fn quoted(&mut self) -> Atom {
        let start = self.at;
        self.take(1);
        let mut text = String::new();
        let mut chars = self.rest().char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            self.steps += 1;
            match (c, chars.peek()) {
                ('"', _) => {
                    self.at += at + 1;
                    return Atom { text, quoted: true, at: start..self.at };
                }
                ('\\', Some((_, next @ ('"' | '\\')))) => {
                    text.push(*next);
                    chars.next();
                }
                _ => text.push(c),
            }
        }
        self.at = self.text.len();
        self.problem(
            Problem::at(start..start + 1, "this quote has no end").hint("add a \" where the text ends"),
        );
        Atom { text, quoted: true, at: start..self.at }
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}

fn given(atom: Atom) -> Option<Atom> {
    (atom.quoted || !atom.text.is_empty()).then_some(atom)
}
