//! Reads a template or expression: which names it reads, whether every filter and function that
//! it calls is there, and the same code once more with a weight before every operation that walks
//! a value (`values::weigh`). It refuses what the language leaves out.
//!
//! This stands on minijinja's syntax tree, which it does not promise to keep: the version is
//! pinned, and a change of the tree does not compile here.

mod limits;
mod paths;

use std::collections::BTreeSet;

use minijinja::{
    machinery::{
        self,
        ast::{self, Expr, Spanned, Stmt},
    },
    syntax::SyntaxConfig,
};

use super::{ExpressionError, Names, language, nearest::nearest};
use crate::graph::Form;

/// What was read.
pub(super) struct Reading<'a> {
    /// The code, with its weights.
    pub code: Code<'a>,
    /// What it reads.
    pub names: Names,
}

/// Code that can be compiled.
pub(super) enum Code<'a> {
    /// Text without any code in it.
    Plain,
    /// A template that is more than one expression.
    Template(Stmt<'a>),
    /// One expression: all of an expression, or all of a template.
    Single(Expr<'a>),
}

/// Reads a source.
pub(super) fn read(text: &str, form: Form) -> Result<Reading<'_>, ExpressionError> {
    limits::check(text, form)?;
    if form == Form::Template && !text.contains('{') {
        return Ok(Reading {
            code: Code::Plain,
            names: Names::default(),
        });
    }
    let mut reader = Reader::default();
    let code = match form {
        Form::Template => {
            let tree = machinery::parse(text, "template", SyntaxConfig::default())
                .map_err(|error| ExpressionError::unreadable(&error))?;
            reader.template(&tree)
        }
        Form::Expression => {
            let tree =
                machinery::parse_expr(text).map_err(|error| ExpressionError::unreadable(&error))?;
            Code::Single(reader.expr(&tree))
        }
    };
    match reader.refused {
        Some(error) => Err(error),
        None => Ok(Reading {
            code,
            names: reader.names,
        }),
    }
}

/// How an operand is weighed.
#[derive(Clone, Copy)]
enum Weight {
    /// The operation walks all of it.
    Whole,
    /// The operation walks it only where it is a string.
    Text,
}

#[derive(Default)]
struct Reader<'a> {
    names: Names,
    /// Names that the template itself defines, innermost last.
    scopes: Vec<BTreeSet<&'a str>>,
    /// The first thing that the language leaves out.
    refused: Option<ExpressionError>,
}

impl<'a> Reader<'a> {
    fn template(&mut self, tree: &Stmt<'a>) -> Code<'a> {
        let Stmt::Template(template) = tree else {
            return Code::Template(self.statement(tree));
        };
        let mut parts = template.children.iter().filter(|part| !is_blank(part));
        if let (Some(Stmt::EmitExpr(only)), None) = (parts.next(), parts.next()) {
            return Code::Single(self.expr(&only.expr));
        }
        Code::Template(self.statement(tree))
    }

    fn statements(&mut self, statements: &[Stmt<'a>]) -> Vec<Stmt<'a>> {
        statements
            .iter()
            .map(|statement| self.statement(statement))
            .collect()
    }

    fn statement(&mut self, statement: &Stmt<'a>) -> Stmt<'a> {
        match statement {
            Stmt::Template(part) => {
                self.scopes.push(BTreeSet::new());
                let children = self.statements(&part.children);
                self.scopes.pop();
                Stmt::Template(Spanned::new(ast::Template { children }, part.span()))
            }
            Stmt::EmitExpr(part) => {
                let expr = self.expr(&part.expr);
                Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr }, part.span()))
            }
            // Bare text becomes a constant: so all that is written passes the one place that
            // counts it.
            Stmt::EmitRaw(part) => {
                let value = minijinja::Value::from(part.raw);
                let expr = Expr::Const(Spanned::new(ast::Const { value }, part.span()));
                Stmt::EmitExpr(Spanned::new(ast::EmitExpr { expr }, part.span()))
            }
            Stmt::ForLoop(part) => {
                let iter = self.weighed(&part.iter, Weight::Text);
                self.scopes.push(BTreeSet::from(["loop"]));
                let target = self.target(&part.target);
                let filter_expr = part.filter_expr.as_ref().map(|expr| self.expr(expr));
                let body = self.statements(&part.body);
                self.scopes.pop();
                let else_body = self.statements(&part.else_body);
                let recursive = part.recursive;
                let part_span = part.span();
                Stmt::ForLoop(Spanned::new(
                    ast::ForLoop {
                        target,
                        iter,
                        filter_expr,
                        recursive,
                        body,
                        else_body,
                    },
                    part_span,
                ))
            }
            Stmt::IfCond(part) => {
                let expr = self.expr(&part.expr);
                let true_body = self.statements(&part.true_body);
                let false_body = self.statements(&part.false_body);
                Stmt::IfCond(Spanned::new(
                    ast::IfCond {
                        expr,
                        true_body,
                        false_body,
                    },
                    part.span(),
                ))
            }
            Stmt::WithBlock(part) => {
                self.scopes.push(BTreeSet::new());
                let assignments = part
                    .assignments
                    .iter()
                    .map(|(target, expr)| {
                        let expr = self.expr(expr);
                        (self.target(target), expr)
                    })
                    .collect();
                let body = self.statements(&part.body);
                self.scopes.pop();
                Stmt::WithBlock(Spanned::new(
                    ast::WithBlock { assignments, body },
                    part.span(),
                ))
            }
            Stmt::Set(part) => {
                let expr = self.expr(&part.expr);
                let target = self.target(&part.target);
                Stmt::Set(Spanned::new(ast::Set { target, expr }, part.span()))
            }
            Stmt::SetBlock(part) => {
                let filter = part.filter.as_ref().map(|expr| self.expr(expr));
                let body = self.statements(&part.body);
                let target = self.target(&part.target);
                Stmt::SetBlock(Spanned::new(
                    ast::SetBlock {
                        target,
                        filter,
                        body,
                    },
                    part.span(),
                ))
            }
            Stmt::FilterBlock(part) => {
                let filter = self.expr(&part.filter);
                let body = self.statements(&part.body);
                let filter_span = part.filter_span;
                Stmt::FilterBlock(Spanned::new(
                    ast::FilterBlock {
                        filter,
                        filter_span,
                        body,
                    },
                    part.span(),
                ))
            }
            Stmt::AutoEscape(part) => {
                self.refuse(
                    part.span(),
                    "There is no `autoescape` here: text stays as it is.".into(),
                );
                self.nothing(part.span())
            }
            Stmt::Do(part) => {
                self.refuse(
                    part.span(),
                    "There is no `do` here: write {{ }} or {% set %}.".into(),
                );
                self.nothing(part.span())
            }
        }
    }

    fn nothing(&self, span: machinery::Span) -> Stmt<'a> {
        Stmt::EmitRaw(Spanned::new(ast::EmitRaw { raw: "" }, span))
    }

    /// The left side of an assignment: what it names is there from now on.
    fn target(&mut self, target: &Expr<'a>) -> Expr<'a> {
        match target {
            Expr::Var(part) => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(part.id);
                }
                Expr::Var(Spanned::new(ast::Var { id: part.id }, part.span()))
            }
            Expr::List(part) => {
                let items = part.items.iter().map(|item| self.target(item)).collect();
                Expr::List(Spanned::new(ast::List { items }, part.span()))
            }
            other => {
                self.refuse(other.span(), "Only a plain name can be set.".into());
                self.expr(other)
            }
        }
    }

    fn expr(&mut self, expr: &Expr<'a>) -> Expr<'a> {
        if let Some(path) = paths::path(expr, |name| self.is_local(name)) {
            self.names.note(&path);
        }
        match expr {
            Expr::Var(part) => Expr::Var(Spanned::new(ast::Var { id: part.id }, part.span())),
            Expr::Const(part) => {
                let value = part.value.clone();
                Expr::Const(Spanned::new(ast::Const { value }, part.span()))
            }
            Expr::GetAttr(part) => {
                let expr = self.inside(&part.expr);
                Expr::GetAttr(Spanned::new(
                    ast::GetAttr {
                        expr,
                        name: part.name,
                    },
                    part.span(),
                ))
            }
            Expr::GetItem(part) => self.item(part),
            Expr::Slice(part) => {
                let expr = self.weighed(&part.expr, Weight::Text);
                let start = part.start.as_ref().map(|expr| self.expr(expr));
                let stop = part.stop.as_ref().map(|expr| self.expr(expr));
                let step = part.step.as_ref().map(|expr| self.expr(expr));
                let slice = ast::Slice {
                    expr,
                    start,
                    stop,
                    step,
                };
                let result = Expr::Slice(Spanned::new(slice, part.span()));
                through(language::FLATTEN, result)
            }
            Expr::UnaryOp(part) => {
                #[expect(
                    clippy::needless_match,
                    reason = "the operator can be copied in no other way"
                )]
                let op = match part.op {
                    ast::UnaryOpKind::Not => ast::UnaryOpKind::Not,
                    ast::UnaryOpKind::Neg => ast::UnaryOpKind::Neg,
                };
                let expr = self.expr(&part.expr);
                Expr::UnaryOp(Spanned::new(ast::UnaryOp { op, expr }, part.span()))
            }
            Expr::BinOp(part) => {
                let whole = !matches!(part.op, ast::BinOpKind::ScAnd | ast::BinOpKind::ScOr);
                let mut side = |expr| match whole {
                    true => self.weighed(expr, Weight::Whole),
                    false => self.expr(expr),
                };
                let (left, right) = (side(&part.left), side(&part.right));
                let sum = matches!(part.op, ast::BinOpKind::Add | ast::BinOpKind::Mul);
                let part = ast::BinOp {
                    op: part.op,
                    left,
                    right,
                };
                let result = Expr::BinOp(Spanned::new(part, expr.span()));
                if sum {
                    through(language::FLATTEN, result)
                } else {
                    result
                }
            }
            Expr::Compare(part) => {
                let expr = self.weighed(&part.expr, Weight::Whole);
                let ops = part
                    .ops
                    .iter()
                    .map(|next| ast::CompareOp {
                        op: next.op,
                        expr: self.weighed(&next.expr, Weight::Whole),
                    })
                    .collect();
                Expr::Compare(Spanned::new(ast::Compare { expr, ops }, part.span()))
            }
            Expr::IfExpr(part) => {
                let test_expr = self.expr(&part.test_expr);
                let true_expr = self.expr(&part.true_expr);
                let false_expr = part.false_expr.as_ref().map(|expr| self.expr(expr));
                Expr::IfExpr(Spanned::new(
                    ast::IfExpr {
                        test_expr,
                        true_expr,
                        false_expr,
                    },
                    part.span(),
                ))
            }
            Expr::Filter(part) => {
                self.must_exist("filter", part.name, language::FILTERS, part.span());
                let expr = part
                    .expr
                    .as_ref()
                    .map(|expr| self.weighed(expr, Weight::Whole));
                let args = self.args(&part.args);
                let filter = ast::Filter {
                    name: part.name,
                    expr,
                    args,
                };
                let result = Expr::Filter(Spanned::new(filter, part.span()));
                let view = language::VIEWS.contains(&part.name) && part.expr.is_some();
                if view {
                    through(language::FLATTEN, result)
                } else {
                    result
                }
            }
            Expr::Test(part) => {
                self.must_exist("test", part.name, language::TESTS, part.span());
                let expr = match part.name {
                    "defined" | "undefined" | "none" => self.expr(&part.expr),
                    _ => self.weighed(&part.expr, Weight::Whole),
                };
                let args = self.args(&part.args);
                Expr::Test(Spanned::new(
                    ast::Test {
                        name: part.name,
                        expr,
                        args,
                    },
                    part.span(),
                ))
            }
            Expr::Call(part) => {
                let expr = match &part.expr {
                    Expr::Var(name) if !self.is_local(name.id) => {
                        self.must_exist("function", name.id, language::FUNCTIONS, part.span());
                        Expr::Var(Spanned::new(ast::Var { id: name.id }, name.span()))
                    }
                    callee => self.expr(callee),
                };
                let args = self.args(&part.args);
                Expr::Call(Spanned::new(ast::Call { expr, args }, part.span()))
            }
            Expr::List(part) => {
                let items = self.items(&part.items);
                Expr::List(Spanned::new(ast::List { items }, part.span()))
            }
            Expr::Tuple(part) => {
                let items = self.items(&part.items);
                Expr::Tuple(Spanned::new(ast::Tuple { items }, part.span()))
            }
            Expr::Map(part) => {
                let keys = self.items(&part.keys);
                let values = self.items(&part.values);
                Expr::Map(Spanned::new(ast::Map { keys, values }, part.span()))
            }
        }
    }

    /// What an attribute or item is taken of. A path is noted as a whole, by whoever asks for all
    /// of it: `nodes.plan.output` is not also a use of `nodes`.
    fn inside(&mut self, expr: &Expr<'a>) -> Expr<'a> {
        match expr {
            Expr::Var(part) => Expr::Var(Spanned::new(ast::Var { id: part.id }, part.span())),
            Expr::GetAttr(part) => {
                let expr = self.inside(&part.expr);
                Expr::GetAttr(Spanned::new(
                    ast::GetAttr {
                        expr,
                        name: part.name,
                    },
                    part.span(),
                ))
            }
            Expr::GetItem(part) => self.item(part),
            other => self.expr(other),
        }
    }

    fn item(&mut self, part: &Spanned<ast::GetItem<'a>>) -> Expr<'a> {
        let inner = self.inside(&part.expr);
        // A name is never looked for in a string. What stands between a name and what it is taken
        // of would also keep an error from saying all of the path.
        let named =
            matches!(&part.subscript_expr, Expr::Const(key) if key.value.as_str().is_some());
        let expr = if named {
            inner
        } else {
            weigh(inner, Weight::Text)
        };
        let subscript_expr = self.weighed(&part.subscript_expr, Weight::Whole);
        Expr::GetItem(Spanned::new(
            ast::GetItem {
                expr,
                subscript_expr,
            },
            part.span(),
        ))
    }

    fn items(&mut self, items: &[Expr<'a>]) -> Vec<Expr<'a>> {
        items
            .iter()
            .map(|item| self.weighed(item, Weight::Whole))
            .collect()
    }

    fn args(&mut self, args: &[ast::CallArg<'a>]) -> Vec<ast::CallArg<'a>> {
        args.iter()
            .map(|arg| match arg {
                ast::CallArg::Pos(expr) => ast::CallArg::Pos(self.weighed(expr, Weight::Whole)),
                ast::CallArg::Kwarg(name, expr) => {
                    ast::CallArg::Kwarg(name, self.weighed(expr, Weight::Whole))
                }
                ast::CallArg::PosSplat(expr) => {
                    ast::CallArg::PosSplat(self.weighed(expr, Weight::Whole))
                }
                ast::CallArg::KwargSplat(expr) => {
                    ast::CallArg::KwargSplat(self.weighed(expr, Weight::Whole))
                }
            })
            .collect()
    }

    fn weighed(&mut self, expr: &Expr<'a>, weight: Weight) -> Expr<'a> {
        weigh(self.expr(expr), weight)
    }

    fn is_local(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(name))
    }

    fn refuse(&mut self, span: machinery::Span, message: String) {
        let line = Some(span.start_line.into());
        self.refused
            .get_or_insert(ExpressionError { message, line });
    }

    fn must_exist(&mut self, what: &str, name: &str, known: &[&str], span: machinery::Span) {
        if known.contains(&name) {
            return;
        }
        let hint = match nearest(name, known.iter().copied()) {
            Some(other) => format!(" Did you mean `{other}`?"),
            None => String::new(),
        };
        self.refuse(span, format!("There is no {what} `{name}`.{hint}"));
    }
}

fn weigh(expr: Expr<'_>, weight: Weight) -> Expr<'_> {
    match (&expr, weight) {
        (Expr::Const(_), _) => expr,
        (_, Weight::Whole) => through(language::WEIGH, expr),
        (_, Weight::Text) => through(language::WEIGH_TEXT, expr),
    }
}

fn through<'a>(filter: &'static str, expr: Expr<'a>) -> Expr<'a> {
    let span = expr.span();
    let part = ast::Filter {
        name: filter,
        expr: Some(expr),
        args: Vec::new(),
    };
    Expr::Filter(Spanned::new(part, span))
}

fn is_blank(statement: &Stmt<'_>) -> bool {
    match statement {
        Stmt::EmitRaw(part) => part.raw.trim().is_empty(),
        _ => false,
    }
}
