//! From tokens to a query. Recursion is bounded by the limit of depth.

use std::ops::Range;

use super::Language;
use super::directive::Directives;
use super::lexer::{Lexer, Op, Token};
use crate::condition::{Condition, Mode};
use crate::problem::{Problem, Problems};
use crate::query::Query;

/// Deeper nesting is refused whatever the limits say: reading is recursive.
const DEEPEST: usize = 128;

/// Reading has to stop: a limit was passed, and is said.
pub(super) struct Stopped;

type Read<T> = Result<T, Stopped>;

#[derive(Debug)]
pub(super) struct Parser<'a, 't> {
    pub(super) language: &'a Language<'a>,
    pub(super) text: &'t str,
    pub(super) lexer: Lexer<'t>,
    next: Option<(Token, Range<usize>)>,
    terms: usize,
    pub(super) directives: Directives,
}

impl<'a, 't> Parser<'a, 't> {
    pub(super) fn new(language: &'a Language<'a>, text: &'t str) -> Self {
        let mut lexer = Lexer::new(text);
        let next = lexer.next();
        Self { language, text, lexer, next, terms: 0, directives: Directives::default() }
    }

    pub(super) fn steps(&self) -> usize {
        self.lexer.steps
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.lexer.problem(problem);
    }

    pub(super) fn query(&mut self) -> Result<Query, Problems> {
        let condition = self.all().unwrap_or(Condition::Never);
        let query = self.directives(condition);
        Problems::none_or(std::mem::take(&mut self.lexer.problems))?;
        Ok(query)
    }

    fn all(&mut self) -> Read<Condition> {
        if self.next.is_none() {
            return Ok(Condition::Always);
        }
        let mut all = self.or(0, false)?;
        // Whatever stops a reading at the top is a parenthesis too many.
        while let Some((_, at)) = self.take() {
            self.problem(Problem::at(at, "this parenthesis was never opened").hint("remove it"));
            if self.next.is_some() {
                all = all.and(self.or(0, false)?);
            }
            self.count(0)?;
        }
        Ok(all)
    }

    fn take(&mut self) -> Option<(Token, Range<usize>)> {
        let next = self.lexer.next();
        std::mem::replace(&mut self.next, next)
    }

    fn peek(&self) -> Option<&Token> {
        self.next.as_ref().map(|(token, _)| token)
    }

    fn place(&self) -> Range<usize> {
        self.next.as_ref().map_or(self.text.len()..self.text.len(), |(_, at)| at.clone())
    }

    /// Counts one more term, and stops at the limits.
    fn count(&mut self, depth: usize) -> Read<()> {
        self.terms += 1;
        let limits = &self.language.limits;
        let message = if self.terms > limits.terms {
            format!("more than {} terms", limits.terms)
        } else if depth > limits.depth.min(DEEPEST) {
            format!("nested more than {} deep", limits.depth.min(DEEPEST))
        } else {
            return Ok(());
        };
        let at = self.place();
        self.problem(Problem::at(at, message).hint("search for less at once"));
        Err(Stopped)
    }

    fn or(&mut self, depth: usize, negated: bool) -> Read<Condition> {
        let mut any = vec![self.and(depth, negated)?];
        while matches!(self.peek(), Some(Token::Or)) {
            self.take();
            any.push(self.and(depth, negated)?);
        }
        Ok(one_or(any, Condition::Or))
    }

    fn and(&mut self, depth: usize, negated: bool) -> Read<Condition> {
        let mut all = Vec::new();
        let start = self.place();
        let mut found = false;
        loop {
            match self.peek() {
                None | Some(Token::Close | Token::Or) => break,
                Some(Token::And) => {
                    let (at, before) = (self.place(), found);
                    self.take();
                    if !before || matches!(self.peek(), None | Some(Token::Close | Token::Or | Token::And)) {
                        let hint = "remove it, or quote it to search for the word";
                        self.problem(Problem::at(at, "something is missing beside AND").hint(hint));
                    }
                    self.count(depth)?;
                }
                Some(_) => {
                    all.extend(self.unary(depth, negated)?);
                    found = true;
                }
            }
        }
        let only_directives = found && all.is_empty() && depth == 0;
        if !found || (only_directives && matches!(self.peek(), Some(Token::Or))) {
            let hint = "write what to search for, or quote words such as \"OR\"";
            self.problem(Problem::at(start, "a condition is missing here").hint(hint));
        }
        Ok(if all.is_empty() { Condition::Always } else { one_or(all, Condition::And) })
    }

    /// One term; `None` for what is no condition, such as `sort:`.
    fn unary(&mut self, depth: usize, negated: bool) -> Read<Option<Condition>> {
        self.count(depth)?;
        let Some((token, at)) = self.take() else { return Ok(None) };
        Ok(Some(match token {
            Token::Not => match self.peek() {
                None | Some(Token::Close | Token::Or | Token::And) => {
                    let hint = "write what must not hold, or quote it to search for it";
                    self.problem(Problem::at(at, "something is missing behind this").hint(hint));
                    Condition::Never
                }
                Some(Token::Any) => {
                    self.take();
                    Condition::Never
                }
                Some(_) => !self.unary(depth + 1, true)?.unwrap_or(Condition::Always),
            },
            Token::Open => {
                let inner = self.or(depth + 1, negated)?;
                if self.take().is_none() {
                    let hint = "add a ) where it ends";
                    self.problem(Problem::at(at, "this parenthesis is never closed").hint(hint));
                }
                inner
            }
            Token::Any => Condition::Always,
            Token::Words(atom) => self.text(None, Mode::Words, atom),
            Token::Substring(atom) => self.text(None, Mode::Substring, atom),
            Token::Field { name, op, items } => {
                let top = depth == 0 && !negated;
                return Ok(self.field(at, name, op, items, top));
            }
            Token::Close | Token::And | Token::Or => return Ok(None),
        }))
    }

    /// A term with a field, or one of the words that only look like one.
    fn field(
        &mut self,
        at: Range<usize>,
        name: Range<usize>,
        op: Op,
        items: Vec<super::lexer::Item>,
        top: bool,
    ) -> Option<Condition> {
        match self.text.get(name.clone()).unwrap_or("") {
            "sort" | "limit" | "show" | "after" => {
                self.directive(at, name, op, items, top);
                None
            }
            "has" => Some(self.has(at, op, &items)),
            word @ ("since" | "until") => Some(self.recency(at, name, word == "since", &items)),
            word => Some(self.compare(word, &at, name, op, items)),
        }
    }
}

fn one_or(mut parts: Vec<Condition>, many: impl FnOnce(Vec<Condition>) -> Condition) -> Condition {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => Condition::Always,
    }
}
