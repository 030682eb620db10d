//! Declarations of variables, and the memory of those that belong to a module.

use super::error::Error;
use super::kind::Kind;
use super::lexer::{Lexer, Literal, Token};
use std::alloc::Layout;

/// `.align 4 .b8 name[16]`, without the state space before it.
#[derive(Debug, Clone)]
pub(super) struct Variable<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) align: usize,
    /// bytes; zero for `name[]`
    pub(super) size: usize,
}

impl<'a> Variable<'a> {
    /// Reads a declaration, up to what follows the name and its dimensions.
    pub(super) fn parse(lexer: &mut Lexer<'a>) -> Result<Variable<'a>, Error> {
        let mut align = None;
        let mut kind = None;
        let mut lanes = 1;
        let name = loop {
            let word = lexer.word()?;
            match word {
                ".align" => align = word_number(lexer)?.into(),
                ".v2" => lanes = 2,
                ".v4" => lanes = 4,
                // attributes of a pointer parameter: `.ptr .global .align 8`
                ".ptr" => {
                    if let Token::Word(".global" | ".shared" | ".const" | ".local") = lexer.peek() {
                        lexer.next();
                    }
                    if lexer.peek() == Token::Word(".align") {
                        lexer.next();
                        word_number(lexer)?;
                    }
                }
                _ if word.starts_with('.') => {
                    kind = Kind::parse(&word[1..]);
                    if kind.is_none() {
                        return Err(lexer.error(format!("unknown type `{word}`")));
                    }
                }
                _ => break word,
            }
        };
        let kind = kind.ok_or_else(|| lexer.error(format!("`{name}` has no type")))?;
        let mut count = lanes;
        while lexer.take('[') {
            if lexer.take(']') {
                count = 0;
                continue;
            }
            count *= word_number(lexer)?;
            lexer.expect(']')?;
        }
        let natural = kind.bytes() * lanes;
        Ok(Variable { name, kind, align: align.unwrap_or(natural).max(1), size: kind.bytes() * count })
    }
}

fn word_number(lexer: &mut Lexer<'_>) -> Result<usize, Error> {
    let word = lexer.word()?;
    match Literal::parse(word) {
        Some(Literal::Integer(value)) if value < 1 << 40 => Ok(value as usize),
        _ => Err(lexer.error(format!("expected a number, found `{word}`"))),
    }
}

/// `offset` moved up to a multiple of `align`
pub(super) fn aligned(offset: usize, align: usize) -> usize {
    offset.div_ceil(align.max(1)) * align.max(1)
}

/// One element of an initializer.
pub(super) enum Initial<'a> {
    Number(Literal),
    /// the address of a variable or function, and a number of bytes after it
    Address(&'a str, u64),
}

/// Reads what follows `=`: one element or a list of them, nested for more dimensions.
pub(super) fn parse_initializer<'a>(lexer: &mut Lexer<'a>) -> Result<Vec<Initial<'a>>, Error> {
    let mut elements = Vec::new();
    let mut depth = 0;
    loop {
        match lexer.next() {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth -= 1,
            Token::Sign(',') => {}
            Token::Sign('-') => {
                let word = lexer.word()?;
                let literal =
                    Literal::parse(word).ok_or_else(|| lexer.error(format!("`{word}` is no number")))?;
                elements.push(Initial::Number(literal.negated()));
            }
            Token::Word(word) => elements.push(parse_element(lexer, word)?),
            other => return Err(lexer.error(format!("{other:?} in an initializer"))),
        }
        if depth == 0 && lexer.peek() == Token::Sign(';') {
            return Ok(elements);
        }
    }
}

fn parse_element<'a>(lexer: &mut Lexer<'a>, word: &'a str) -> Result<Initial<'a>, Error> {
    if let Some(literal) = Literal::parse(word) {
        return Ok(Initial::Number(literal));
    }
    let name = if word == "generic" {
        lexer.expect('(')?;
        let name = lexer.word()?;
        lexer.expect(')')?;
        name
    } else {
        word
    };
    let offset = if lexer.take('+') { word_number(lexer)? as u64 } else { 0 };
    Ok(Initial::Address(name, offset))
}

/// Zeroed memory at a fixed address.
#[derive(Debug)]
pub(super) struct Storage {
    address: u64,
    size: usize,
}

const STORAGE_ALIGN: usize = 256;

impl Storage {
    pub(super) fn zeroed(size: usize) -> Option<Storage> {
        if size == 0 {
            return Some(Storage { address: 0, size });
        }
        let layout = Layout::from_size_align(size, STORAGE_ALIGN).ok()?;
        // SAFETY: the size is not zero
        let pointer = unsafe { std::alloc::alloc_zeroed(layout) };
        (!pointer.is_null()).then_some(Storage { address: pointer as u64, size })
    }

    pub(super) fn address(&self) -> u64 {
        self.address
    }

    pub(super) fn holds(&self, address: u64, bytes: usize) -> bool {
        address >= self.address && address - self.address + bytes as u64 <= self.size as u64
    }

    /// Copies bytes in before any kernel runs.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.size, "an initializer is larger than its variable");
        // SAFETY: the range lies in the allocation, which nobody else knows yet
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), (self.address as *mut u8).add(offset), bytes.len());
        }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if self.size > 0
            && let Ok(layout) = Layout::from_size_align(self.size, STORAGE_ALIGN)
        {
            // SAFETY: allocated with this layout
            unsafe { std::alloc::dealloc(self.address as *mut u8, layout) };
        }
    }
}
