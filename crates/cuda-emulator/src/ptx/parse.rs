//! Reads what stands at module scope.

use super::entry::Parameter;
use super::error::Error;
use super::function::Signature;
use super::lexer::{Lexer, Literal, Token};
use super::module::{FUNCTION_ADDRESS, Place, Program};
use super::storage::{Initial, Storage, Variable, aligned, parse_initializer};
use std::collections::HashMap;
use std::sync::OnceLock;

/// A variable before its memory is allocated.
struct Pending<'a> {
    name: &'a str,
    offset: usize,
    size: usize,
    element: usize,
    initial: Vec<Initial<'a>>,
    line: usize,
}

#[derive(Default)]
pub(super) struct Reader<'a> {
    functions: Vec<Signature>,
    function_by_name: HashMap<String, usize>,
    places: HashMap<String, Place>,
    variables: Vec<Pending<'a>>,
    global_bytes: usize,
    shared_bytes: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn read(&mut self, text: &'a str) -> Result<(), Error> {
        let mut lexer = Lexer::new(text, 1);
        if lexer.peek() != Token::Word(".version") {
            lexer.next();
            return Err(lexer.error("this is no PTX: it does not begin with .version"));
        }
        let mut external = false;
        loop {
            match lexer.next() {
                Token::End => return Ok(()),
                Token::Sign(';') => {}
                Token::Word(word) => match word {
                    ".version" | ".target" | ".address_size" | ".file" | ".loc" => lexer.skip_line(),
                    ".visible" | ".weak" | ".common" => {}
                    ".extern" => external = true,
                    ".entry" | ".func" => {
                        self.read_function(&mut lexer, word == ".entry")?;
                        external = false;
                    }
                    ".global" | ".const" | ".shared" => {
                        self.read_variables(&mut lexer, word, external)?;
                        external = false;
                    }
                    ".section" => {
                        while lexer.next() != Token::Sign('{') {
                            if lexer.peek() == Token::End {
                                return Err(lexer.error("an empty section"));
                            }
                        }
                        lexer.skip_braces()?;
                    }
                    ".pragma" | ".alias" => skip_statement(&mut lexer)?,
                    other => return Err(lexer.error(format!("`{other}` at module scope"))),
                },
                other => return Err(lexer.error(format!("{other:?} at module scope"))),
            }
        }
    }

    fn read_variables(&mut self, lexer: &mut Lexer<'a>, space: &str, external: bool) -> Result<(), Error> {
        let variable = Variable::parse(lexer)?;
        let name = variable.name.to_owned();
        if space == ".shared" {
            if variable.size == 0 || external {
                self.places.insert(name, Place::DynamicShared);
            } else {
                let offset = aligned(self.shared_bytes, variable.align);
                self.shared_bytes = offset + variable.size;
                self.places.insert(name, Place::Shared(offset as u64));
            }
            return lexer.expect(';');
        }
        let line = lexer.line();
        let initial = if lexer.take('=') { parse_initializer(lexer)? } else { Vec::new() };
        lexer.expect(';')?;
        let element = variable.kind.bytes();
        let size = if variable.size == 0 { initial.len() * element } else { variable.size };
        if external {
            return Err(Error::Parse { line, message: format!("`{name}` is defined in no module") });
        }
        let offset = aligned(self.global_bytes, variable.align);
        self.global_bytes = offset + size;
        self.variables.push(Pending { name: variable.name, offset, size, element, initial, line });
        Ok(())
    }

    fn read_function(&mut self, lexer: &mut Lexer<'a>, is_entry: bool) -> Result<(), Error> {
        let mut end = 0;
        let mut names = Vec::new();
        let result = if lexer.take('(') {
            read_parameters(lexer, &mut end, &mut Vec::new(), &mut names)?
        } else {
            Vec::new()
        };
        let name = lexer.word()?.to_owned();
        let mut parameters = Vec::new();
        if lexer.take('(') {
            parameters = read_parameters(lexer, &mut end, &mut parameters, &mut names)?;
        }
        let mut signature = Signature {
            name: name.clone(),
            is_entry,
            parameter_names: names.into_iter().map(str::to_owned).collect(),
            parameters,
            result,
            parameter_bytes: end,
            max_threads: None,
            required_block: None,
            shared_from: 0,
            body: None,
        };
        loop {
            match lexer.next() {
                Token::Sign(';') => break,
                Token::Sign('{') => {
                    let (start, line) = (lexer.position(), lexer.line());
                    let body = lexer.skip_braces()?;
                    if !is_entry {
                        signature.shared_from = self.shared_bytes;
                        self.shared_bytes = reserve_shared(body, self.shared_bytes)?;
                    }
                    signature.body = Some((start..start + body.len(), line));
                    break;
                }
                Token::Word(".maxntid") => {
                    signature.max_threads = Some(read_dimensions(lexer)?.iter().product())
                }
                Token::Word(".reqntid") => signature.required_block = Some(read_dimensions(lexer)?),
                Token::End => return Err(lexer.error(format!("{name} has no end"))),
                _ => {}
            }
        }
        match self.function_by_name.get(&name) {
            Some(&index) if signature.body.is_some() => self.functions[index] = signature,
            Some(_) => {}
            None => {
                self.function_by_name.insert(name, self.functions.len());
                self.functions.push(signature);
            }
        }
        Ok(())
    }

    pub(super) fn into_program(mut self, text: &str) -> Result<Program, Error> {
        let failed = || Error::Parse { line: 1, message: "no memory for the variables".to_owned() };
        let mut storage = Storage::zeroed(self.global_bytes).ok_or_else(failed)?;
        for variable in &self.variables {
            let address = storage.address() + variable.offset as u64;
            self.places.insert(variable.name.to_owned(), Place::Global(address, variable.size));
        }
        for variable in &self.variables {
            for (index, initial) in variable.initial.iter().enumerate() {
                let value = self.initial_value(initial, variable)?;
                let offset = index * variable.element;
                if offset + variable.element > variable.size {
                    let message = format!("too many values for `{}`", variable.name);
                    return Err(Error::Parse { line: variable.line, message });
                }
                storage.write(variable.offset + offset, &value.to_le_bytes()[..variable.element]);
            }
        }
        Ok(Program {
            text: text.to_owned(),
            code: self.functions.iter().map(|_| OnceLock::new()).collect(),
            functions: self.functions,
            function_by_name: self.function_by_name,
            places: self.places,
            storage,
            shared_bytes: self.shared_bytes,
        })
    }

    fn initial_value(&self, initial: &Initial<'_>, variable: &Pending<'_>) -> Result<u64, Error> {
        match initial {
            Initial::Number(Literal::Integer(value) | Literal::Double(value)) if variable.element != 4 => {
                Ok(*value)
            }
            Initial::Number(Literal::Integer(value)) => Ok(*value),
            Initial::Number(Literal::Single(bits)) => Ok(u64::from(*bits)),
            Initial::Number(Literal::Double(bits)) => Ok(u64::from((f64::from_bits(*bits) as f32).to_bits())),
            Initial::Address(name, offset) => {
                let place = self.places.get(*name);
                let function = self.function_by_name.get(*name);
                match (place, function) {
                    (Some(Place::Global(address, _)), _) => Ok(address + offset),
                    (_, Some(&index)) => Ok(FUNCTION_ADDRESS | index as u64),
                    _ => {
                        let message = format!("`{name}` has no address here");
                        Err(Error::Parse { line: variable.line, message })
                    }
                }
            }
        }
    }
}

fn skip_statement(lexer: &mut Lexer<'_>) -> Result<(), Error> {
    loop {
        match lexer.next() {
            Token::Sign(';') => return Ok(()),
            Token::End => return Err(lexer.error("a statement has no end")),
            _ => {}
        }
    }
}

/// Reads parameters up to `)`, placed one after the other from `end`.
fn read_parameters<'a>(
    lexer: &mut Lexer<'a>,
    end: &mut usize,
    parameters: &mut Vec<Parameter>,
    names: &mut Vec<&'a str>,
) -> Result<Vec<Parameter>, Error> {
    while !lexer.take(')') {
        let space = lexer.word()?;
        if space != ".param" {
            return Err(lexer.error(format!("a parameter in `{space}`")));
        }
        let variable = Variable::parse(lexer)?;
        let offset = aligned(*end, variable.align);
        *end = offset + variable.size;
        parameters.push(Parameter { offset, size: variable.size });
        names.push(variable.name);
        lexer.take(',');
    }
    Ok(std::mem::take(parameters))
}

fn read_dimensions(lexer: &mut Lexer<'_>) -> Result<[u32; 3], Error> {
    let mut dimensions = [1; 3];
    for dimension in &mut dimensions {
        let word = lexer.word()?;
        *dimension = match Literal::parse(word) {
            Some(Literal::Integer(value)) => value as u32,
            _ => return Err(lexer.error(format!("expected a number of threads, found `{word}`"))),
        };
        if !lexer.take(',') {
            break;
        }
    }
    Ok(dimensions)
}

/// Shared variables of a function have one place for all kernels that call it.
fn reserve_shared(body: &str, mut end: usize) -> Result<usize, Error> {
    if !body.contains(".shared") {
        return Ok(end);
    }
    let mut lexer = Lexer::new(body, 1);
    loop {
        match lexer.next() {
            Token::End => return Ok(end),
            Token::Word(".shared") => {
                let variable = Variable::parse(&mut lexer)?;
                end = aligned(end, variable.align) + variable.size;
            }
            _ => {}
        }
    }
}
