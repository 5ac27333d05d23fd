//! What is too long to be read. Each operator is a level of recursion while the code is made, and
//! a stack that overflows takes the whole process with it; so operators are counted before.

use minijinja::{
    machinery::{self, Token},
    syntax::SyntaxConfig,
};

use crate::{expression::ExpressionError, graph::Form};

/// The longest source, in bytes.
const MAX_SOURCE: usize = 64 * 1024;

/// Most operators between two braces, and most `elif`s. (Brackets in brackets are limited by
/// minijinja itself.)
const MAX_OPERATORS: usize = 400;

/// Refuses what is too long.
pub(super) fn check(text: &str, form: Form) -> Result<(), ExpressionError> {
    if text.len() > MAX_SOURCE {
        return Err(ExpressionError::new("It is longer than 64 KiB."));
    }
    if text.len() <= MAX_OPERATORS {
        return Ok(());
    }
    let (mut operators, mut elifs) = (0, 0);
    let in_expression = form == Form::Expression;
    // What cannot be cut into tokens, the parser complains about.
    for token in machinery::tokenize(text, in_expression, SyntaxConfig::default()) {
        let Ok((token, span)) = token else { break };
        match token {
            Token::TemplateData(_)
            | Token::VariableStart
            | Token::VariableEnd
            | Token::BlockStart
            | Token::BlockEnd => operators = 0,
            Token::Ident("elif") => elifs += 1,
            Token::Ident("not" | "and" | "or" | "if" | "is" | "in") => operators += 1,
            Token::Ident(_)
            | Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_)
            | Token::Comma
            | Token::Colon
            | Token::Assign
            | Token::BracketClose
            | Token::ParenClose
            | Token::BraceClose => {}
            _ => operators += 1,
        }
        if operators > MAX_OPERATORS || elifs > MAX_OPERATORS {
            return Err(ExpressionError {
                message: "It is too long for one expression: split it up.".into(),
                line: Some(span.start_line.into()),
            });
        }
    }
    Ok(())
}
