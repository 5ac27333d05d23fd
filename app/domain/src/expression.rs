//! Templates and conditions (minijinja), the same in browser and server. They compute with what
//! they are given and reach nothing outside: no files, no clock, no environment, no other template.
//!
//! Sources come from strangers (an imported workflow) and data from models, and the process that
//! evaluates them has better things to do. So every evaluation is bounded in time, memory and
//! stack: `reading` refuses what is too long or too nested, `language` leaves out what cannot be
//! bounded and hands out fuel, `values` makes each operation pay for what it walks.

mod language;
mod nearest;
mod reading;
mod values;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    hash::BuildHasher,
    sync::Arc,
};

use minijinja::{
    AutoEscape, ErrorKind,
    machinery::{self, CodeGenerator},
};
use serde_json::Value;

pub(crate) use self::nearest::nearest;
use self::reading::Code;
use crate::graph::{Form, Source};

/// What a template or expression reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Nodes whose outputs it names.
    pub nodes: BTreeSet<String>,
    /// Inputs that it names.
    pub inputs: BTreeSet<String>,
    /// Whether it reads nodes by a computed name: it may read any of them.
    pub all_nodes: bool,
    /// Whether it reads inputs by a computed name, or all of them at once.
    pub all_inputs: bool,
    /// Other names that it reads; nothing has these names when it is evaluated.
    pub unknown: Vec<String>,
    /// Whether it reads `item`.
    pub item: bool,
    /// Whether it reads `index`.
    pub index: bool,
    /// Whether it reads `run`.
    pub run: bool,
}

/// Most names that a source reads and that are nothing.
const MOST_UNKNOWN: usize = 100;

impl Names {
    fn add_unknown(&mut self, name: String) {
        // All of them are wrong; nobody reads more of them.
        if self.unknown.len() < MOST_UNKNOWN && !self.unknown.contains(&name) {
            self.unknown.push(name);
        }
    }
}

/// What is wrong with a template or expression, or why it has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    /// One sentence for people.
    pub message: String,
    /// The line of the text that it is about, from 1.
    pub line: Option<u32>,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExpressionError {}

/// Where the outputs of nodes come from. A source asks only for the nodes that it names.
pub trait Outputs {
    /// The output of a node; `None` when it did not run, or gave nothing.
    fn output(&self, node: &str) -> Option<&Value>;
    /// Every node that has an output. Asked only by a source that computes the names it reads.
    fn names(&self) -> Vec<&str>;
    /// Told after each evaluation how much work it was: one unit is an instruction or 64 bytes.
    fn spent(&self, _work: u64) {}
}

impl<S: BuildHasher> Outputs for HashMap<String, Value, S> {
    fn output(&self, node: &str) -> Option<&Value> {
        self.get(node)
    }
    fn names(&self) -> Vec<&str> {
        self.keys().map(String::as_str).collect()
    }
}

impl Outputs for BTreeMap<String, Value> {
    fn output(&self, node: &str) -> Option<&Value> {
        self.get(node)
    }
    fn names(&self) -> Vec<&str> {
        self.keys().map(String::as_str).collect()
    }
}

/// What a source sees while it is evaluated.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// `run.id`.
    pub run_id: &'a str,
    /// `input`: an object.
    pub input: &'a Value,
    /// `nodes.<id>.output`.
    pub outputs: &'a dyn Outputs,
    /// `item`, inside a map.
    pub item: Option<&'a Value>,
    /// `index`, inside a map or loop.
    pub index: Option<usize>,
}

impl Source {
    /// Reads a template: text with `{{ expressions }}` inside.
    pub fn template(text: &str) -> Result<Self, ExpressionError> {
        Self::read(text, Form::Template)
    }

    /// Reads one expression, without braces.
    pub fn expression(text: &str) -> Result<Self, ExpressionError> {
        Self::read(text, Form::Expression)
    }

    fn read(text: &str, form: Form) -> Result<Self, ExpressionError> {
        let names = reading::read(text, form)?.names;
        Ok(Self {
            text: text.into(),
            form,
            names: Arc::new(names),
        })
    }
}

/// The text that a source makes.
pub fn render(source: &Source, scope: &Scope<'_>) -> Result<String, ExpressionError> {
    let reading = reading::read(&source.text, source.form)?;
    let mut code = CodeGenerator::new("template", &source.text);
    match reading.code {
        Code::Plain => return bounded(source.text.to_string()),
        Code::Template(tree) => code.compile_stmt(&tree),
        Code::Single(expr) => emit(&mut code, expr),
    }
    bounded(run(code, source, scope)?.1)
}

/// As `render`, but a source that is one expression and nothing else (`{{ nodes.plan.output }}`)
/// keeps the type of its value.
pub fn render_value(source: &Source, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
    let reading = reading::read(&source.text, source.form)?;
    match reading.code {
        Code::Single(_) => evaluate(source, scope),
        Code::Plain | Code::Template(_) => render(source, scope).map(Value::String),
    }
}

/// The value of an expression.
pub fn evaluate(source: &Source, scope: &Scope<'_>) -> Result<Value, ExpressionError> {
    let value = compute(source, scope)?;
    values::to_json(&value).map_err(|error| ExpressionError::failed(&error, scope))
}

/// Whether a condition holds: false, none, 0, "" and what is empty do not hold, all else does.
pub fn holds(source: &Source, scope: &Scope<'_>) -> Result<bool, ExpressionError> {
    compute(source, scope).map(|value| value.is_true())
}

fn compute(source: &Source, scope: &Scope<'_>) -> Result<minijinja::Value, ExpressionError> {
    let reading = reading::read(&source.text, source.form)?;
    let Code::Single(expr) = reading.code else {
        return render(source, scope).map(minijinja::Value::from);
    };
    let mut code = CodeGenerator::new("expression", &source.text);
    code.compile_expr(&expr);
    let value = run(code, source, scope)?.0.unwrap_or_default();
    if value.is_undefined() {
        // Only what is written is asked whether it has a value, and by what name it was sought.
        let mut code = CodeGenerator::new("expression", &source.text);
        emit(&mut code, expr);
        run(code, source, scope)?;
        return Ok(minijinja::Value::from(()));
    }
    Ok(value)
}

fn emit<'a>(code: &mut CodeGenerator<'a>, expr: machinery::ast::Expr<'a>) {
    let span = expr.span();
    let part = machinery::ast::EmitExpr { expr };
    code.compile_stmt(&machinery::ast::Stmt::EmitExpr(
        machinery::ast::Spanned::new(part, span),
    ));
}

fn run(
    code: CodeGenerator<'_>,
    source: &Source,
    scope: &Scope<'_>,
) -> Result<(Option<minijinja::Value>, String), ExpressionError> {
    let (instructions, blocks) = code.finish();
    let mut text = String::new();
    let mut out = machinery::make_string_output(&mut text);
    let (context, read) = scope.context(&source.names);
    let language = language::language();
    let done = machinery::eval(
        language,
        &instructions,
        context,
        &blocks,
        &mut out,
        AutoEscape::None,
    );
    // What failed does not say how far it came.
    let spent = match &done {
        Ok((_, state)) => state.fuel_levels().map_or(0, |(spent, _)| spent),
        Err(_) => language::FUEL,
    };
    scope.outputs.spent(spent.saturating_add(read));
    let (value, _) = done.map_err(|error| ExpressionError::failed(&error, scope))?;
    Ok((value, text))
}

fn bounded(text: String) -> Result<String, ExpressionError> {
    if text.len() > values::MAX_OUTPUT {
        return Err(ExpressionError::new("What comes out is larger than 1 MiB."));
    }
    Ok(text)
}

impl Scope<'_> {
    /// What the code sees: of inputs and nodes those that it names and no more. A node that has
    /// no output is there without one, so that `is defined` and `default` can be asked about it.
    /// And how much work it was to bring all of it.
    fn context(&self, names: &Names) -> (minijinja::Value, u64) {
        let read = Cell::new(0_u64);
        let from_json = |value: &Value| {
            read.set(read.get().saturating_add(values::work_to_read(value)));
            values::from_json(value)
        };
        let mut context: BTreeMap<&str, minijinja::Value> = BTreeMap::new();
        let input = match self.input {
            all if names.all_inputs => from_json(all),
            some => minijinja::Value::from_pairs(names.inputs.iter().filter_map(|name| {
                some.get(name)
                    .map(|value| (name.as_str(), from_json(value)))
            })),
        };
        context.insert("input", input);
        let node = |name: &str| {
            let output = self.outputs.output(name);
            let pairs = output.map(|value| ("output", from_json(value)));
            minijinja::Value::from_pairs(pairs)
        };
        let mut nodes: BTreeMap<&str, minijinja::Value> = BTreeMap::new();
        if names.all_nodes {
            nodes.extend(
                self.outputs
                    .names()
                    .into_iter()
                    .map(|name| (name, node(name))),
            );
        }
        nodes.extend(names.nodes.iter().map(|name| (name.as_str(), node(name))));
        context.insert("nodes", minijinja::Value::from(nodes));
        if names.run {
            context.insert("run", minijinja::Value::from_pairs([("id", self.run_id)]));
        }
        if let (true, Some(item)) = (names.item, self.item) {
            context.insert("item", from_json(item));
        }
        if let (true, Some(index)) = (names.index, self.index) {
            context.insert("index", minijinja::Value::from(index));
        }
        (minijinja::Value::from(context), read.get())
    }
}

impl ExpressionError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            line: None,
        }
    }

    /// What the parser did not understand.
    fn unreadable(error: &minijinja::Error) -> Self {
        let detail = error.detail().unwrap_or("it breaks off");
        let message = format!("It cannot be read: {detail}.");
        Self {
            message,
            line: error.line().and_then(|line| u32::try_from(line).ok()),
        }
    }

    /// Why there is no value.
    fn failed(error: &minijinja::Error, scope: &Scope<'_>) -> Self {
        let detail = error.detail().unwrap_or_default();
        let message = match error.kind() {
            ErrorKind::UndefinedError => without_value(detail, scope),
            ErrorKind::OutOfFuel => "It is too much work for one expression.".to_owned(),
            // These say all by themselves (`values`, `language`).
            ErrorKind::BadSerialization if !detail.is_empty() => detail.to_owned(),
            kind if detail.is_empty() => format!("It cannot be computed: {kind}."),
            _ => match undefined_name(detail) {
                Some(_) => without_value(detail, scope),
                None => format!("It cannot be computed: {detail}."),
            },
        };
        Self {
            message,
            line: error.line().and_then(|line| u32::try_from(line).ok()),
        }
    }
}

/// The name in "... (`name` is undefined)".
fn undefined_name(detail: &str) -> Option<&str> {
    let (before, _) = detail.rsplit_once("` is undefined")?;
    Some(before.rsplit_once('`').map_or(before, |(_, name)| name))
}

/// One sentence about a name that has no value, and why it may have none.
fn without_value(detail: &str, scope: &Scope<'_>) -> String {
    let Some(name) = undefined_name(detail) else {
        return "Something that it reads has no value.".to_owned();
    };
    let name = name.replace('\'', "\"");
    let reason = match split_name(&name) {
        ("nodes", Some(node), rest) => match (scope.outputs.output(node), rest) {
            (None, _) => ": that step did not run".to_owned(),
            (Some(_), "") => String::new(),
            (Some(_), _) => format!(": the output of `{node}` has nothing of that name"),
        },
        ("input", Some(input), _) if scope.input.get(input).is_none() => {
            format!(": the run was given no `{input}`")
        }
        ("item" | "index", _, _) => " outside of a map".to_owned(),
        _ => String::new(),
    };
    format!("`{name}` has no value{reason}.")
}

/// Parts `nodes.plan.output` and `nodes["plan"].output` into root, name and rest.
fn split_name(name: &str) -> (&str, Option<&str>, &str) {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (root, rest) = name.split_at(end);
    if let Some(quoted) = rest.strip_prefix("[\"") {
        return match quoted.split_once("\"]") {
            Some((key, rest)) => (root, Some(key), rest),
            None => (root, None, rest),
        };
    }
    let Some(rest) = rest.strip_prefix('.') else {
        return (root, None, rest);
    };
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (key, rest) = rest.split_at(end);
    (root, Some(key), rest)
}
