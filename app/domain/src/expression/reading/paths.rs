//! Names as paths: `nodes.plan.output` is one name, not three.

use minijinja::machinery::ast::Expr;

use crate::expression::{Names, language};

/// One step of a path.
pub(super) enum Step {
    /// `.name` or `["name"]`.
    Name(String),
    /// `[0]`.
    Place(String),
    /// `[anything else]`.
    Computed,
}

/// The path that an expression is, where it is one and starts at a name of the context.
pub(super) fn path(expr: &Expr<'_>, is_local: impl Fn(&str) -> bool) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut at = expr;
    loop {
        match at {
            Expr::Var(part) => {
                if is_local(part.id) {
                    return None;
                }
                steps.push(Step::Name(part.id.to_owned()));
                steps.reverse();
                return Some(steps);
            }
            Expr::GetAttr(part) => {
                steps.push(Step::Name(part.name.to_owned()));
                at = &part.expr;
            }
            Expr::GetItem(part) => {
                steps.push(match &part.subscript_expr {
                    Expr::Const(key) => match key.value.as_str() {
                        Some(name) => Step::Name(name.to_owned()),
                        None => Step::Place(key.value.to_string()),
                    },
                    _ => Step::Computed,
                });
                at = &part.expr;
            }
            _ => return None,
        }
    }
}

impl Names {
    /// Notes what reading this path reads.
    pub(super) fn note(&mut self, path: &[Step]) {
        let mut steps = path.iter();
        let Some(Step::Name(root)) = steps.next() else {
            return;
        };
        match (root.as_str(), steps.next()) {
            ("nodes", Some(Step::Name(node))) => {
                self.nodes.insert(node.clone());
                if let Some(Step::Name(part)) = steps.next()
                    && part != "output"
                {
                    self.add_unknown(format!("nodes.{node}.{part}"));
                }
            }
            ("nodes", Some(Step::Place(place))) => self.add_unknown(format!("nodes[{place}]")),
            ("nodes", Some(Step::Computed) | None) => self.all_nodes = true,
            ("input", Some(Step::Name(input))) => {
                self.inputs.insert(input.clone());
            }
            ("input", Some(Step::Place(place))) => self.add_unknown(format!("input[{place}]")),
            ("input", Some(Step::Computed) | None) => self.all_inputs = true,
            ("item", _) => self.item = true,
            ("index", _) => self.index = true,
            ("run", Some(Step::Name(part))) if part != "id" => {
                self.add_unknown(format!("run.{part}"));
            }
            ("run", _) => self.run = true,
            (function, None) if language::FUNCTIONS.contains(&function) => {}
            (other, _) => self.add_unknown(other.to_owned()),
        }
    }
}
