//! The one form of a JSON value, whatever its order of members, spacing and spelling of numbers and texts.
//!
//! Written while the text is read, without a tree in between: members that come in order stay where they are written, and
//! only an object whose members do not is put in order afterwards. The form is JSON without spaces, besides that a comma
//! follows every item and that a number with a fraction is its bits; so no two values share a form. A text is written with
//! the shortest escapes, which is how nearly everybody writes it: then it is copied as it stands.

use std::fmt;

use memchr::{memchr, memchr2};

/// The form so far.
pub(super) struct Canonical {
    out: Vec<u8>,
    /// The members of the objects that are being read, the innermost's last.
    members: Vec<Member>,
}

/// Where a member stands in the form.
#[derive(Clone, Copy)]
struct Member {
    start: usize,
    value: usize,
    end: usize,
}

/// Room for the members of usual requests.
const MEMBERS: usize = 32;
/// Values lie in each other at most so deep, as in `serde_json`.
const DEEPEST: u32 = 128;
/// Numbers of so few characters are whole ones that fit.
const SHORT: usize = 18;

/// The text is not JSON from this byte on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bad(usize);

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unexpected text at byte {}", self.0)
    }
}

impl Canonical {
    /// An empty form with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), members: Vec::with_capacity(MEMBERS) }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.out
    }

    /// Adds the value of `text`, at the top of which the members named in `without` are left out.
    pub(super) fn json(&mut self, text: &[u8], without: &[&str]) -> Result<(), Bad> {
        let plain = !has_long_escape(text);
        let mut reader = Reader { text, at: 0, plain, form: self };
        reader.value(without, 0)?;
        reader.space();
        if reader.at == text.len() { Ok(()) } else { Err(Bad(reader.at)) }
    }

    pub(super) fn option(&mut self, text: Option<&str>) {
        self.tag(u8::from(text.is_some()));
        if let Some(text) = text {
            self.str(text);
        }
    }

    pub(super) fn str(&mut self, text: &str) {
        self.len(text.len());
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn len(&mut self, len: usize) {
        self.out.extend_from_slice(&(len as u64).to_le_bytes());
    }

    fn tag(&mut self, tag: u8) {
        self.out.push(tag);
    }

    /// A whole number that is not written as one.
    fn integer(&mut self, n: i128) {
        self.out.extend_from_slice(n.to_string().as_bytes());
    }

    fn float(&mut self, float: f64) {
        // Below 2^53 every whole float is exactly one integer, so `1.0` and `1e0` are `1`.
        if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            self.integer(float as i128);
        } else {
            self.tag(b'd');
            self.out.extend_from_slice(&float.to_bits().to_le_bytes());
        }
    }

    fn name(&self, member: Member) -> &[u8] {
        &self.out[member.start..member.value]
    }

    /// Ends the object whose members begin at `base` and at `content`: sorted by name, and of each name the last.
    fn end_object(&mut self, content: usize, base: usize) {
        let sorted = self.members[base..].windows(2).all(|two| self.name(two[0]) < self.name(two[1]));
        if !sorted {
            self.sort(content, base);
        }
        self.members.truncate(base);
        self.tag(b'}');
    }

    fn sort(&mut self, content: usize, base: usize) {
        let mut members = self.members.split_off(base);
        members.sort_by(|one, other| self.name(*one).cmp(self.name(*other)));
        let mut sorted = Vec::with_capacity(self.out.len() - content);
        for (at, member) in members.iter().enumerate() {
            let again = members.get(at + 1).is_some_and(|next| self.name(*next) == self.name(*member));
            if !again {
                sorted.extend_from_slice(&self.out[member.start..member.end]);
            }
        }
        self.out.truncate(content);
        self.out.append(&mut sorted);
    }
}

/// Whether some escape may be longer than it need be: `\u…` or `\/`. Without a branch, so that many
/// bytes are looked at together.
fn has_long_escape(text: &[u8]) -> bool {
    let pairs = text.iter().zip(text.get(1..).unwrap_or_default());
    pairs.fold(0, |found, (one, next)| {
        found | (u8::from(*one == b'\\') & (u8::from(*next == b'u') | u8::from(*next == b'/')))
    }) != 0
}

/// Reads a text into a form. It checks the structure; what strings hold besides escapes is taken as it is.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether every escape is the shortest there is.
    plain: bool,
    form: &'a mut Canonical,
}

impl Reader<'_> {
    fn value(&mut self, without: &[&str], depth: u32) -> Result<(), Bad> {
        if depth >= DEEPEST {
            return Err(Bad(self.at));
        }
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.object(without, depth),
            Some(b'[') => self.array(depth),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn object(&mut self, without: &[&str], depth: u32) -> Result<(), Bad> {
        self.at += 1;
        self.form.tag(b'{');
        let (content, base) = (self.form.out.len(), self.form.members.len());
        if !self.next_is(b'}') {
            loop {
                self.member(without, depth)?;
                if !self.next_is(b',') {
                    break;
                }
            }
            self.require(b'}')?;
        }
        self.form.end_object(content, base);
        Ok(())
    }

    fn member(&mut self, without: &[&str], depth: u32) -> Result<(), Bad> {
        let start = self.form.out.len();
        if self.peek() != Some(b'"') {
            return Err(Bad(self.at));
        }
        self.string()?;
        let value = self.form.out.len();
        self.require(b':')?;
        self.value(&[], depth + 1)?;
        self.form.tag(b',');
        let name = &self.form.out[start + 1..value - 1];
        if without.iter().any(|left_out| left_out.as_bytes() == name) {
            self.form.out.truncate(start);
        } else {
            self.form.members.push(Member { start, value, end: self.form.out.len() });
        }
        Ok(())
    }

    fn array(&mut self, depth: u32) -> Result<(), Bad> {
        self.at += 1;
        self.form.tag(b'[');
        if !self.next_is(b']') {
            loop {
                self.value(&[], depth + 1)?;
                self.form.tag(b',');
                if !self.next_is(b',') {
                    break;
                }
            }
            self.require(b']')?;
        }
        self.form.tag(b']');
        Ok(())
    }

    /// A string from its quote on, with the shortest escapes.
    fn string(&mut self) -> Result<(), Bad> {
        if self.plain { self.copy_string() } else { self.respell_string() }
    }

    fn copy_string(&mut self) -> Result<(), Bad> {
        let start = self.at;
        self.at += 1;
        loop {
            self.at += memchr(b'"', &self.text[self.at..]).ok_or(Bad(self.text.len()))? + 1;
            let token = &self.text[start..self.at];
            let backslashes = token.iter().rev().skip(1).take_while(|byte| **byte == b'\\').count();
            if backslashes % 2 == 0 {
                self.form.out.extend_from_slice(token);
                return Ok(());
            }
        }
    }

    fn respell_string(&mut self) -> Result<(), Bad> {
        self.at += 1;
        self.form.tag(b'"');
        loop {
            let rest = &self.text[self.at..];
            let stop = memchr2(b'"', b'\\', rest).ok_or(Bad(self.text.len()))?;
            self.form.out.extend_from_slice(&rest[..stop]);
            self.at += stop + 1;
            if rest[stop] == b'"' {
                self.form.tag(b'"');
                return Ok(());
            }
            self.escape()?;
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), Bad> {
        let escape = *self.text.get(self.at).ok_or(Bad(self.at))?;
        self.at += 1;
        match escape {
            b'n' | b't' | b'r' | b'b' | b'f' | b'"' | b'\\' => {
                self.form.out.extend_from_slice(&[b'\\', escape]);
            }
            b'/' => self.form.out.push(escape),
            b'u' => return self.unicode(),
            _ => return Err(Bad(self.at - 1)),
        }
        Ok(())
    }

    /// A character by its number: its shortest escape if it needs one.
    fn unicode(&mut self) -> Result<(), Bad> {
        let start = self.at;
        let mut units = [self.unit()?, 0];
        let mut count = 1;
        if (0xd800..0xdc00).contains(&units[0]) && self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            units[1] = self.unit()?;
            count = 2;
        }
        for decoded in char::decode_utf16(units[..count].iter().copied()) {
            let decoded = decoded.map_err(|_| Bad(start))?;
            let written = serde_json::to_vec(&decoded).map_err(|_| Bad(start))?;
            self.form.out.extend_from_slice(&written[1..written.len() - 1]);
        }
        Ok(())
    }

    fn unit(&mut self) -> Result<u16, Bad> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Bad(self.at))?;
        let unit = digits.iter().try_fold(0, |unit, digit| {
            let digit = char::from(*digit).to_digit(16)?;
            Some(unit << 4 | u16::try_from(digit).ok()?)
        });
        self.at += 4;
        unit.ok_or(Bad(self.at - 4))
    }

    fn number(&mut self) -> Result<(), Bad> {
        let start = self.at;
        let of_number = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        self.at += self.text[start..].iter().take_while(of_number).count();
        let text = std::str::from_utf8(&self.text[start..self.at]).map_err(|_| Bad(start))?;
        let whole = (1..=SHORT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if whole && (text.len() == 1 || !text.starts_with('0')) {
            self.form.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        let number: serde_json::Number = serde_json::from_str(text).map_err(|_| Bad(start))?;
        match number.as_i128() {
            Some(n) => self.form.integer(n),
            None => self.form.float(number.as_f64().ok_or(Bad(start))?),
        }
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Bad> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Bad(self.at));
        }
        self.at += word.len();
        self.form.out.extend_from_slice(word);
        Ok(())
    }

    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.text.get(self.at).copied()
    }

    /// Goes past `byte` if it is next.
    fn next_is(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn require(&mut self, byte: u8) -> Result<(), Bad> {
        if self.next_is(byte) { Ok(()) } else { Err(Bad(self.at)) }
    }
}
