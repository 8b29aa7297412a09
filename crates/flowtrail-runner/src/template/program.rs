//! A template compiled, with what its operators process and its text counted. The engine has no hook for
//! either, so its instructions are changed: one that is to be counted becomes a jump to a few instructions at
//! the end, which count, do it, and jump back.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use minijinja::machinery::{
    CodeGenerator, Instruction, Instructions, eval, make_string_output, parse, parse_expr,
};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value as Operand, ValueKind};
use minijinja::{AutoEscape, Environment, Error, State, context};

use super::meter::{self, Weight};
use super::number;

/// Counts a value of which an operator may look at everything, and gives it on as something to compute with. No template can write such a
/// name.
const WEIGH: &str = "#weigh";

/// As [`WEIGH`], but gives on the items of a list as they are: a sum of lists has the numbers that were sent.
const WEIGH_ADDEND: &str = "#weigh-addend";

/// Counts what an operator gives, and computes it if that would be done item by item at every look at it.
const SETTLE: &str = "#settle";

/// `value[start:stop:step]`.
const SLICE: &str = "#slice";

/// What stands instead of the number under which the engine remembers a filter: to look it up each time.
const LOOKED_UP: u8 = u8::MAX;

/// A compiled template.
pub(super) struct Program<'s>(Instructions<'s>);

impl<'s> Program<'s> {
    /// The program of an expression.
    pub(super) fn of_expression(source: &'s str) -> Result<Self, Error> {
        let expression = parse_expr(source)?;
        let mut generator = CodeGenerator::new("<expression>", source);
        generator.compile_expr(&expression);
        Ok(Self::counted(generator.finish().0))
    }

    /// The program of a text with templates in it.
    pub(super) fn of_text(source: &'s str) -> Result<Self, Error> {
        let text = parse(source, "<string>", SyntaxConfig::default())?;
        let mut generator = CodeGenerator::new("<string>", source);
        generator.compile_stmt(&text);
        Ok(Self::counted(generator.finish().0))
    }

    /// Runs it. An expression gives a value, a text is written by the engine's formatter, all of it.
    pub(super) fn run(
        &self,
        engine: &Environment<'s>,
        root: Operand,
    ) -> Result<(Option<Operand>, String), Error> {
        let mut text = String::new();
        let mut output = make_string_output(&mut text);
        let value = eval(engine, &self.0, root, &BTreeMap::new(), &mut output, AutoEscape::None)?.0;
        drop(output);
        Ok((value, text))
    }

    fn counted(mut program: Instructions<'s>) -> Self {
        // Where the program ended it is to jump over what is added.
        let length = program.add(Instruction::Jump(0));
        for place in 0..length {
            let Some(instead) = program.get(place).and_then(instead_of) else { continue };
            let added: Vec<u32> = instead.into_iter().map(|instruction| program.add(instruction)).collect();
            program.add(Instruction::Jump(place + 1));
            if let (Some(first), Some(instruction)) = (added.first(), program.get_mut(place)) {
                *instruction = Instruction::Jump(*first);
            }
        }
        // An instruction that is never reached says where the end is.
        let end = program.add(Instruction::DiscardTop);
        if let Some(instruction) = program.get_mut(length) {
            *instruction = Instruction::Jump(end + 1);
        }
        Self(program)
    }
}

/// What does the same as an instruction, and counts.
fn instead_of<'s>(instruction: &Instruction<'s>) -> Option<Vec<Instruction<'s>>> {
    let filter = |name, arguments| Instruction::ApplyFilter(name, Some(arguments), LOOKED_UP);
    match instruction {
        Instruction::EmitRaw(text) => {
            Some(vec![Instruction::LoadConst(Operand::from(*text)), Instruction::Emit])
        }
        Instruction::Slice => Some(vec![filter(SLICE, 4)]),
        Instruction::Add
        | Instruction::Eq
        | Instruction::Ne
        | Instruction::Gt
        | Instruction::Gte
        | Instruction::Lt
        | Instruction::Lte
        | Instruction::In
        | Instruction::Sub
        | Instruction::Div
        | Instruction::IntDiv
        | Instruction::Rem
        | Instruction::CompareAndPreserve(_) => {
            let weigh = if matches!(instruction, Instruction::Add) { WEIGH_ADDEND } else { WEIGH };
            let mut counted = vec![
                filter(weigh, 1),
                Instruction::Swap,
                filter(weigh, 1),
                Instruction::Swap,
                instruction.clone(),
            ];
            if matches!(instruction, Instruction::Add) {
                counted.push(filter(SETTLE, 1));
            }
            Some(counted)
        }
        Instruction::Neg => Some(vec![filter(WEIGH, 1), Instruction::Neg]),
        _ => None,
    }
}

/// Adds the filters by which programs count.
pub(super) fn install(engine: &mut Environment<'_>) {
    meter::filter(engine, SETTLE, Weight::Items, |value: Operand| value);
    meter::filter(engine, SLICE, Weight::Items, slice);
    engine.add_filter(WEIGH, |state: &mut State<'_, '_>, value: Operand| {
        meter::charge(state, Weight::Whole.of(&value))?;
        number::computable(value)
    });
    engine.add_filter(WEIGH_ADDEND, |state: &mut State<'_, '_>, value: Operand| {
        meter::charge(state, Weight::Whole.of(&value))?;
        if value.kind() == ValueKind::Seq { Ok(value) } else { number::computable(value) }
    });
}

/// A slice as the engine makes it, which it does only in a template.
fn slice(value: Operand, start: Operand, stop: Operand, step: Operand) -> Result<Operand, Error> {
    static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(Environment::new);
    if value.is_undefined() {
        // It fails, and in doing so names the path that is undefined.
        return value.get_attr("slice");
    }
    let slice = ENGINE.compile_expression("value[start:stop:step]")?;
    slice.eval(context! { value, start, stop, step })
}
