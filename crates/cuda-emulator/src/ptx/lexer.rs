//! Text to tokens.

use super::error::Error;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    /// names, numbers, directives and instructions: letters, digits and `_ $ % .`
    Word(&'a str),
    Text(&'a str),
    Sign(char),
    End,
}

/// Reads one token after another; cheap to copy, so a parser can look ahead.
#[derive(Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
    line: usize,
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'%' | b'.')
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, line: usize) -> Self {
        Lexer { text, position: 0, line }
    }

    /// of the token that was read last, counted from 1
    pub(super) fn line(&self) -> usize {
        self.line
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        Error::Parse { line: self.line, message: message.into() }
    }

    pub(super) fn next(&mut self) -> Token<'a> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.position) {
                Some(b'\n') => self.line += 1,
                Some(byte) if byte.is_ascii_whitespace() => {}
                Some(b'/') if bytes.get(self.position + 1) == Some(&b'/') => {
                    self.skip_line();
                    continue;
                }
                Some(b'/') if bytes.get(self.position + 1) == Some(&b'*') => {
                    let rest = &self.text[self.position..];
                    let length = rest.find("*/").map_or(rest.len(), |end| end + 2);
                    self.line += rest[..length].matches('\n').count();
                    self.position += length;
                    continue;
                }
                _ => break,
            }
            self.position += 1;
        }
        let start = self.position;
        let Some(&first) = bytes.get(start) else { return Token::End };
        if in_word(first) {
            let mut end = start;
            // `::` joins the halves of modifiers such as `L1::no_allocate`
            while end < bytes.len() && (in_word(bytes[end]) || bytes[end..].starts_with(b"::")) {
                // `.reg.b32` is two directives
                if end > start && first == b'.' && bytes[end] == b'.' {
                    break;
                }
                end += if bytes[end] == b':' { 2 } else { 1 };
            }
            self.position = end;
            return Token::Word(&self.text[start..end]);
        }
        if first == b'"' {
            let end = self.text[start + 1..].find('"').map_or(self.text.len(), |end| start + 1 + end);
            self.position = (end + 1).min(self.text.len());
            return Token::Text(&self.text[start + 1..end]);
        }
        let sign = self.text[start..].chars().next().unwrap_or(' ');
        self.position += sign.len_utf8();
        Token::Sign(sign)
    }

    pub(super) fn peek(&self) -> Token<'a> {
        self.clone().next()
    }

    /// Goes past `sign` if it comes next.
    pub(super) fn take(&mut self, sign: char) -> bool {
        let mut ahead = self.clone();
        let found = ahead.next() == Token::Sign(sign);
        if found {
            *self = ahead;
        }
        found
    }

    pub(super) fn expect(&mut self, sign: char) -> Result<(), Error> {
        match self.next() {
            Token::Sign(found) if found == sign => Ok(()),
            other => Err(self.error(format!("expected `{sign}`, found {other:?}"))),
        }
    }

    pub(super) fn word(&mut self) -> Result<&'a str, Error> {
        match self.next() {
            Token::Word(word) => Ok(word),
            other => Err(self.error(format!("expected a name, found {other:?}"))),
        }
    }

    pub(super) fn skip_line(&mut self) {
        let rest = &self.text.as_bytes()[self.position..];
        self.position += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    }

    /// Goes past the `}` that closes a `{` already read, and returns the text between them.
    pub(super) fn skip_braces(&mut self) -> Result<&'a str, Error> {
        let start = self.position;
        let mut depth = 1;
        loop {
            let end = self.position;
            match self.next() {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth -= 1,
                Token::End => return Err(self.error("a `{` is never closed")),
                _ => {}
            }
            if depth == 0 {
                return Ok(&self.text[start..end]);
            }
        }
    }
}

/// A number as its text says it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Literal {
    Integer(u64),
    Single(u32),
    Double(u64),
}

impl Literal {
    /// Decimal, `0x`, `0b`, octal, `0f` and `0d` bits, or a decimal fraction; `None` for what is no number.
    pub(super) fn parse(word: &str) -> Option<Literal> {
        if !word.as_bytes().first()?.is_ascii_digit() {
            return None;
        }
        let digits = |radix: u32, digits: &str| u64::from_str_radix(digits, radix).ok();
        let unsigned = word.strip_suffix(['U', 'u']).unwrap_or(word);
        let (prefix, rest) = unsigned.split_at(unsigned.len().min(2));
        match prefix {
            "0x" | "0X" => digits(16, rest).map(Literal::Integer),
            "0f" | "0F" => digits(16, rest).map(|bits| Literal::Single(bits as u32)),
            "0d" | "0D" => digits(16, rest).map(Literal::Double),
            "0b" | "0B" => digits(2, rest).map(Literal::Integer),
            _ if unsigned.contains('.') => {
                unsigned.parse::<f64>().ok().map(|value| Literal::Double(value.to_bits()))
            }
            _ if unsigned.len() > 1 && unsigned.starts_with('0') => {
                digits(8, &unsigned[1..]).map(Literal::Integer)
            }
            _ => digits(10, unsigned).map(Literal::Integer),
        }
    }

    pub(super) fn negated(self) -> Literal {
        match self {
            Literal::Integer(value) => Literal::Integer(value.wrapping_neg()),
            Literal::Single(bits) => Literal::Single(bits ^ (1 << 31)),
            Literal::Double(bits) => Literal::Double(bits ^ (1 << 63)),
        }
    }
}
