//! Collects problems as they are found and puts them into the order people read them in.

use std::{cell::Cell, rc::Rc};

use crate::{
    expression::nearest,
    graph::{Drawing, Problem, Severity},
};

/// Most problems that are told: nobody reads more, and a hostile file could have millions.
const MOST: usize = 1_000;

/// How many names get a suggestion: to find one, all the others are compared.
const SUGGESTIONS: usize = 50;

/// What a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The file as a whole.
    File,
    /// An input, by its place in the file.
    Input(usize),
    /// A node, by its place in the file.
    Node(usize),
    /// One key of a node.
    Key(usize, &'static str),
    /// An edge, by its place in the file.
    Edge(usize),
}

impl Place {
    /// The order of the file, as its writer reads it.
    fn rank(self) -> (u8, usize) {
        match self {
            Place::File => (0, 0),
            Place::Input(at) => (1, at),
            Place::Node(at) | Place::Key(at, _) => (2, at),
            Place::Edge(at) => (3, at),
        }
    }
}

/// Everything found so far.
pub(super) struct Findings<'a> {
    drawing: &'a Drawing,
    errors: Vec<(Place, Problem)>,
    warnings: Vec<(Place, Problem)>,
    untold: usize,
    /// How many names were given a suggestion, here and in the graphs around.
    suggested: Rc<Cell<usize>>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(drawing: &'a Drawing, suggested: Rc<Cell<usize>>) -> Self {
        Self {
            drawing,
            errors: Vec::new(),
            warnings: Vec::new(),
            untold: 0,
            suggested,
        }
    }

    /// Something that keeps the graph from running.
    pub(super) fn error(&mut self, code: &str, place: Place, message: String) {
        self.add(Severity::Error, code, place, message);
    }

    /// Something that is odd.
    pub(super) fn warning(&mut self, code: &str, place: Place, message: String) {
        self.add(Severity::Warning, code, place, message);
    }

    /// Names the key of the problem that was added last, where it is none that the kind knows.
    pub(super) fn about_key(&mut self, severity: Severity, key: &str) {
        let list = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if let Some((_, problem)) = list.last_mut() {
            problem.key = Some(key.to_owned());
        }
    }

    /// The name that was probably meant, while anybody can be expected to read it.
    pub(super) fn suggest<'n>(
        &mut self,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        if self.may_suggest() {
            nearest(name, known)
        } else {
            None
        }
    }

    /// Whether one more search for a suggestion is worth its time.
    pub(super) fn may_suggest(&mut self) -> bool {
        let before = self.suggested.get();
        self.suggested.set(before.saturating_add(1));
        before < SUGGESTIONS
    }

    /// Takes over what was found inside the body of a node: names of nodes become paths
    /// (`each.draft`), so that they are told apart from those outside.
    pub(super) fn adopt(&mut self, at: usize, mut problem: Problem) {
        let outer = &self.drawing.nodes[at].id;
        match (&mut problem.node, &problem.edge) {
            (Some(inner), _) => *inner = format!("{outer}.{inner}"),
            (node, Some(_)) => *node = Some(outer.clone()),
            (node, None) => {
                *node = Some(outer.clone());
                problem.key = Some("body".to_owned());
            }
        }
        let list = match problem.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if list.len() >= 10 * MOST {
            self.untold += 1;
            return;
        }
        list.push((Place::Key(at, "body"), problem));
    }

    fn add(&mut self, severity: Severity, code: &str, place: Place, message: String) {
        let list = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        // Places are found out of order, so more is kept than is told.
        if list.len() >= 10 * MOST {
            self.untold += 1;
            return;
        }
        let (node, edge, key) = match place {
            Place::File | Place::Input(_) => (None, None, None),
            Place::Node(at) => (Some(self.drawing.nodes[at].id.clone()), None, None),
            Place::Key(at, key) => (
                Some(self.drawing.nodes[at].id.clone()),
                None,
                Some(key.to_owned()),
            ),
            Place::Edge(at) => (None, Some(self.drawing.edges[at].id()), None),
        };
        let code = code.to_owned();
        list.push((
            place,
            Problem {
                severity,
                code,
                node,
                edge,
                key,
                message,
            },
        ));
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// All problems, errors first, else in the order of the file; the last one says how many more
    /// there are than are told.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.errors.sort_by_key(|(place, _)| place.rank());
        self.warnings.sort_by_key(|(place, _)| place.rank());
        let mut all: Vec<Problem> = self
            .errors
            .into_iter()
            .chain(self.warnings)
            .map(|(_, problem)| problem)
            .collect();
        let more = self.untold + all.len().saturating_sub(MOST);
        if more > 0 {
            let more = more + 1;
            all.truncate(MOST - 1);
            let severity = all
                .last()
                .map_or(Severity::Warning, |problem| problem.severity);
            let message = format!("There are {more} more problems: solve these first.");
            let code = "more_problems".to_owned();
            all.push(Problem {
                severity,
                code,
                node: None,
                edge: None,
                key: None,
                message,
            });
        }
        all
    }
}
