//! The body of a function to instructions: scopes, declarations, labels, and who decodes what.

use super::error::Error;
use super::function::{Function, Signature, special};
use super::instruction::Instruction;
use super::kind::Kind;
use super::lexer::{Lexer, Token};
use super::module::Program;
use super::operands::{Operand, Register};
use super::storage::{Variable, aligned};
use std::collections::HashMap;

/// Frames in local memory begin at multiples of this.
pub(super) const FRAME_ALIGN: usize = 16;

/// What a name of function scope stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name {
    Register(Register),
    /// an offset in the frame
    Local(usize),
    /// an offset in the kernel's parameters
    Parameter(usize),
    Shared(usize),
}

pub(super) struct Decoder<'a> {
    pub(super) program: &'a Program,
    signature: &'a Signature,
    pub(super) lexer: Lexer<'a>,
    /// names of the blocks around the current one, the innermost last, and where each block's labels are kept
    scopes: Vec<(HashMap<&'a str, Name>, usize)>,
    /// the block around each block
    parents: Vec<usize>,
    labels: HashMap<(usize, &'a str), u32>,
    /// branch targets seen before their labels: instruction, place in its table, block, label
    jumps: Vec<(usize, usize, usize, &'a str)>,
    /// `.branchtargets`
    pub(super) tables: HashMap<&'a str, Vec<&'a str>>,
    pub(super) constants: HashMap<u64, u32>,
    pub(super) registers: Vec<u64>,
    code: Vec<Instruction>,
    lines: Vec<u32>,
    local_bytes: usize,
    shared_bytes: usize,
    /// of the current statement
    line: usize,
}

/// Decodes one function of a module.
pub(super) fn function(program: &Program, index: usize) -> Result<Function, Error> {
    let signature = &program.functions[index];
    let Some((body, line)) = signature.body.clone() else {
        return Err(Error::Unsupported {
            function: signature.name.clone(),
            line: 0,
            instruction: String::new(),
            message: "the function is declared and never defined".to_owned(),
        });
    };
    let mut decoder = Decoder {
        program,
        signature,
        lexer: Lexer::new(&program.text[body], line),
        scopes: vec![(HashMap::new(), 0)],
        parents: vec![0],
        labels: HashMap::new(),
        jumps: Vec::new(),
        tables: HashMap::new(),
        constants: HashMap::new(),
        registers: vec![0; special::COUNT as usize],
        code: Vec::new(),
        lines: Vec::new(),
        local_bytes: 0,
        shared_bytes: if signature.is_entry { program.shared_bytes } else { signature.shared_from },
        line,
    };
    decoder.declare_parameters();
    while decoder.lexer.peek() != Token::End {
        decoder.statement()?;
    }
    decoder.finish()
}

impl<'a> Decoder<'a> {
    pub(super) fn is_entry(&self) -> bool {
        self.signature.is_entry
    }

    fn declare_parameters(&mut self) {
        let places = self.signature.result.iter().chain(&self.signature.parameters);
        for (name, place) in self.signature.parameter_names.iter().zip(places) {
            let kind = if self.signature.is_entry { Name::Parameter } else { Name::Local };
            self.scopes[0].0.insert(name, kind(place.offset));
        }
        if !self.signature.is_entry {
            self.local_bytes = self.signature.parameter_bytes;
        }
    }

    pub(super) fn name(&self, name: &str) -> Option<Name> {
        self.scopes.iter().rev().find_map(|(names, _)| names.get(name).copied())
    }

    fn block(&self) -> usize {
        self.scopes.last().map_or(0, |&(_, block)| block)
    }

    fn declare(&mut self, name: &'a str, meaning: Name) {
        if let Some((names, _)) = self.scopes.last_mut() {
            names.insert(name, meaning);
        }
    }

    pub(super) fn new_slot(&mut self) -> u32 {
        self.registers.push(0);
        self.registers.len() as u32 - 1
    }

    pub(super) fn emit(&mut self, instruction: Instruction) {
        self.code.push(instruction);
        self.lines.push(self.line as u32);
    }

    /// Remembers that the next instruction's target number `position` is `label`.
    pub(super) fn jump_to(&mut self, position: usize, label: &'a str) {
        self.jumps.push((self.code.len(), position, self.block(), label));
    }

    pub(super) fn unsupported(&self, message: impl Into<String>) -> Error {
        Error::Unsupported {
            function: self.signature.name.clone(),
            line: self.line,
            instruction: self.program.line(self.line),
            message: message.into(),
        }
    }

    fn statement(&mut self) -> Result<(), Error> {
        let token = self.lexer.next();
        self.line = self.lexer.line();
        match token {
            Token::Sign('{') => {
                self.parents.push(self.block());
                self.scopes.push((HashMap::new(), self.parents.len() - 1));
            }
            Token::Sign('}') => {
                self.scopes.pop();
            }
            Token::Sign(';') => {}
            Token::Sign('@') => {
                let inverse = self.lexer.take('!');
                let word = self.lexer.word()?;
                let Some(Name::Register(guard)) = self.name(word) else {
                    return Err(self.unsupported(format!("unknown predicate `{word}`")));
                };
                let opcode = self.lexer.word()?;
                self.guarded(opcode, guard.slot, inverse)?;
            }
            Token::Word(".loc" | ".file") => self.lexer.skip_line(),
            Token::Word(directive) if directive.starts_with('.') => self.directive(directive)?,
            Token::Word(word) if self.lexer.take(':') => self.label(word)?,
            Token::Word(opcode) => self.instruction(opcode)?,
            other => return Err(self.unsupported(format!("{other:?} begins no statement"))),
        }
        Ok(())
    }

    fn label(&mut self, label: &'a str) -> Result<(), Error> {
        if let Token::Word(directive @ (".branchtargets" | ".callprototype" | ".calltargets")) =
            self.lexer.peek()
        {
            self.lexer.next();
            if directive == ".branchtargets" {
                let mut targets = Vec::new();
                while !self.lexer.take(';') {
                    targets.push(self.lexer.word()?);
                    self.lexer.take(',');
                }
                self.tables.insert(label, targets);
                return Ok(());
            }
            return self.skip_statement();
        }
        let key = (self.block(), label);
        self.labels.insert(key, self.code.len() as u32);
        Ok(())
    }

    fn skip_statement(&mut self) -> Result<(), Error> {
        while !matches!(self.lexer.peek(), Token::Sign(';') | Token::End) {
            self.lexer.next();
        }
        self.lexer.expect(';')
    }

    fn directive(&mut self, directive: &'a str) -> Result<(), Error> {
        match directive {
            ".reg" => self.declare_registers(),
            ".local" | ".param" | ".shared" => {
                let variable = Variable::parse(&mut self.lexer)?;
                let end = if directive == ".shared" { &mut self.shared_bytes } else { &mut self.local_bytes };
                let offset = aligned(*end, variable.align);
                *end = offset + variable.size;
                let kind = if directive == ".shared" { Name::Shared } else { Name::Local };
                self.declare(variable.name, kind(offset));
                self.lexer.expect(';')
            }
            ".pragma" => self.skip_statement(),
            _ => Err(self.unsupported("unknown directive")),
        }
    }

    fn declare_registers(&mut self) -> Result<(), Error> {
        let mut word = self.lexer.word()?;
        let kind =
            Kind::parse(&word[1..]).ok_or_else(|| self.unsupported(format!("unknown type `{word}`")))?;
        loop {
            word = self.lexer.word()?;
            if self.lexer.take('<') {
                let count: usize =
                    self.lexer.word()?.parse().map_err(|_| self.unsupported("a number of registers"))?;
                self.lexer.expect('>')?;
                // %r<10> declares %r0 to %r9: the names are in the text wherever they are used
                self.declare_range(word, count, kind);
            } else {
                let register = Register { slot: self.new_slot(), bits: kind.bits() };
                self.declare(word, Name::Register(register));
            }
            if !self.lexer.take(',') {
                return self.lexer.expect(';');
            }
        }
    }

    fn declare_range(&mut self, prefix: &'a str, count: usize, kind: Kind) {
        let first = self.registers.len();
        self.registers.resize(first + count, 0);
        let mut lexer = self.lexer.clone();
        loop {
            match lexer.next() {
                Token::End => return,
                Token::Word(word) => {
                    let number = word.strip_prefix(prefix).and_then(|digits| digits.parse::<usize>().ok());
                    if let Some(number) = number
                        && number < count
                    {
                        let register = Register { slot: (first + number) as u32, bits: kind.bits() };
                        self.declare(word, Name::Register(register));
                    }
                }
                _ => {}
            }
        }
    }

    fn guarded(&mut self, opcode: &'a str, p: u32, inverse: bool) -> Result<(), Error> {
        if opcode == "bra" || opcode == "bra.uni" {
            let label = self.lexer.word()?;
            self.jump_to(0, label);
            let target = 0;
            self.emit(if inverse {
                Instruction::JumpUnless { p, target }
            } else {
                Instruction::JumpIf { p, target }
            });
            return self.lexer.expect(';');
        }
        let guard = self.code.len();
        self.emit(Instruction::Fence);
        self.instruction(opcode)?;
        let target = self.code.len() as u32;
        self.code[guard] =
            if inverse { Instruction::JumpIf { p, target } } else { Instruction::JumpUnless { p, target } };
        Ok(())
    }

    fn instruction(&mut self, opcode: &'a str) -> Result<(), Error> {
        let mut parts = opcode.split('.');
        let name = parts.next().unwrap_or_default();
        let modifiers: Vec<&str> = parts.collect();
        if name == "call" {
            return self.call();
        }
        let operands = self.operands()?;
        if self.control(name, &modifiers, &operands)?
            || self.transfer(name, &modifiers, &operands)?
            || self.compute(name, &modifiers, &operands)?
        {
            return Ok(());
        }
        Err(self.unsupported(format!("unknown instruction `{opcode}`")))
    }

    /// The operand at `index`, or an error that says it is missing.
    pub(super) fn at<'o>(&self, operands: &'o [Operand<'a>], index: usize) -> Result<&'o Operand<'a>, Error> {
        operands.get(index).ok_or_else(|| self.unsupported("too few operands"))
    }

    fn target(&self, block: usize, label: &str) -> Result<u32, Error> {
        let mut block = block;
        loop {
            if let Some(&target) = self.labels.get(&(block, label)) {
                return Ok(target);
            }
            if block == 0 {
                return Err(self.unsupported(format!("unknown label `{label}`")));
            }
            block = self.parents[block];
        }
    }

    fn finish(mut self) -> Result<Function, Error> {
        // a body may end without `ret`
        self.emit(Instruction::Return);
        for (instruction, position, block, label) in std::mem::take(&mut self.jumps) {
            let found = self.target(block, label)?;
            match &mut self.code[instruction] {
                Instruction::Jump { target }
                | Instruction::JumpIf { target, .. }
                | Instruction::JumpUnless { target, .. } => *target = found,
                Instruction::JumpTable { targets, .. } => targets[position] = found,
                _ => {}
            }
        }
        Ok(Function {
            code: self.code,
            lines: self.lines,
            registers: self.registers,
            local_bytes: aligned(self.local_bytes, FRAME_ALIGN),
            shared_bytes: self.shared_bytes,
        })
    }
}
