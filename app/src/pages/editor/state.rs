//! What every part of the editor holds on to: the document, the selection, what is wrong, and what is
//! open. Copyable; parts read what they show and call `apply` for what they do.

mod answers;
mod inside;
mod selecting;
mod sizes;

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::{
    graph::{Drawing, DrawnNode, Problem, Severity, layout::tidy},
    kind::Kind,
};
use leptos::prelude::*;
use serde_json::Value;

use crate::{
    canvas::{
        ProblemCounts,
        clipboard::Fragment,
        document::{Applied, Document},
        dom::now_ms,
        edit::{Edit, PortRef},
        geometry::{GRID, HEAD_PORT_Y, NODE_W, Point, at, drawn_size},
        model::{Tool, snapped},
        node_html,
        stage::CanvasHandle,
    },
    components::toast::{Toasts, use_toasts},
};

use self::sizes::tidy_part;
pub use self::{
    inside::{Inside, Levels},
    sizes::size_of_new,
};

/// How long nothing must change before a drawing is judged.
const JUDGE_AFTER: Duration = Duration::from_millis(250);

/// What is selected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// Nothing: the panel shows the workflow.
    #[default]
    Nothing,
    /// One node, by its id.
    Node(String),
    /// One edge, by its id.
    Edge(String),
    /// Several things.
    Many {
        /// Ids of nodes.
        nodes: Vec<String>,
        /// Ids of edges.
        edges: Vec<String>,
    },
}

/// What can be added, offered at a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Where, on screen from the corner of the canvas.
    pub screen: Point,
    /// Where the new node shall stand.
    pub place: Point,
    /// The wire that was dropped there.
    pub from: Option<PortRef>,
    /// The wire that was dropped there, drawn backwards.
    pub to: Option<String>,
}

/// A label that is being edited.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelEdit {
    /// Id of the edge.
    pub edge: String,
    /// Where, on screen from the corner of the canvas.
    pub screen: Point,
}

/// The editor.
#[derive(Clone, Copy)]
pub struct Editor {
    /// The drawing and its history.
    pub document: RwSignal<Document>,
    /// The canvas.
    pub handle: CanvasHandle,
    /// What is selected.
    pub selection: RwSignal<Selection>,
    /// Everything that is wrong.
    pub problems: RwSignal<Arc<Vec<Problem>>>,
    /// What can be added, while it is offered.
    pub offer: RwSignal<Option<Offer>>,
    /// The label that is being edited.
    pub label: RwSignal<Option<LabelEdit>>,
    /// The key whose field shall get the focus.
    pub focus_key: RwSignal<Option<String>>,
    /// Whether the small map is shown.
    pub minimap: RwSignal<bool>,
    /// Whether the canvas is locked.
    pub locked: RwSignal<bool>,
    /// Whether a drag on the empty canvas selects.
    pub selecting: RwSignal<bool>,
    /// Said to those who cannot see it.
    pub said: RwSignal<String>,
    /// Where the drawing belongs, for what is inside of a map or loop.
    inside: StoredValue<Option<Inside>>,
    toasts: Toasts,
}

impl Editor {
    /// Begins with a drawing.
    pub fn new(drawing: Drawing) -> Self {
        let problems = domain::graph::problems::problems(&drawing);
        let editor = Self::with(drawing, problems, None);
        editor.judge_while_editing();
        editor
    }

    fn with(drawing: Drawing, problems: Vec<Problem>, inside: Option<Inside>) -> Self {
        Self {
            document: RwSignal::new(Document::new(drawing)),
            handle: CanvasHandle::default(),
            selection: RwSignal::new(Selection::Nothing),
            problems: RwSignal::new(Arc::new(problems)),
            offer: RwSignal::new(None),
            label: RwSignal::new(None),
            focus_key: RwSignal::new(None),
            minimap: RwSignal::new(false),
            locked: RwSignal::new(false),
            selecting: RwSignal::new(false),
            said: RwSignal::new(String::new()),
            inside: StoredValue::new(inside),
            toasts: use_toasts(),
        }
    }

    /// Judges the drawing when nobody has changed it for a moment.
    fn judge_while_editing(self) {
        let waiting = StoredValue::new(None::<TimeoutHandle>);
        Effect::new(move |before: Option<u64>| {
            let revision = self.document.read().revision();
            if before.is_some_and(|before| before != revision) {
                if let Some(timer) = waiting.try_update_value(Option::take).flatten() {
                    timer.clear();
                }
                let judge = move || {
                    let judged = self.document.try_with_untracked(|document| {
                        Arc::new(domain::graph::problems::problems(document.drawing()))
                    });
                    if let Some(judged) = judged
                        && self
                            .problems
                            .try_get_untracked()
                            .is_some_and(|known| known != judged)
                    {
                        self.problems.set(judged);
                    }
                };
                waiting.set_value(set_timeout_with_handle(judge, JUDGE_AFTER).ok());
            }
            revision
        });
    }

    /// Errors and warnings by node.
    pub fn counts(self) -> Memo<ProblemCounts> {
        Memo::new(move |_| {
            let mut counts: HashMap<String, (u32, u32)> = HashMap::new();
            for problem in self.problems.read().iter() {
                if let Some(node) = &problem.node {
                    // What is wrong inside of a map or loop shows at that one.
                    let node = node.split('.').next().unwrap_or(node);
                    let (errors, warnings) = counts.entry(node.to_owned()).or_default();
                    match problem.severity {
                        Severity::Error => *errors += 1,
                        Severity::Warning => *warnings += 1,
                    }
                }
            }
            Arc::new(counts)
        })
    }

    /// How many problems keep the workflow from running.
    pub fn errors(self) -> usize {
        let problems = self.problems.read();
        problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count()
    }

    /// Reads the drawing; told again when anything in it changes.
    pub fn drawing<T>(self, read: impl FnOnce(&Drawing) -> T) -> T {
        self.document.with(|document| read(document.drawing()))
    }

    /// Reads the drawing without being told again.
    pub fn peek<T>(self, read: impl FnOnce(&Drawing) -> T) -> T {
        self.document
            .with_untracked(|document| read(document.drawing()))
    }

    /// One node, as it is at any time.
    pub fn node(self, id: String) -> Memo<Option<DrawnNode>> {
        Memo::new(move |_| self.drawing(|drawing| drawing.node(&id).cloned()))
    }

    // ---------------------------------------------------------------------------------- doing things

    /// Does it; says why not where it cannot be done.
    pub fn apply(self, edit: Edit) -> Option<Applied> {
        match self.try_apply(edit) {
            Ok(applied) => Some(applied),
            Err(reason) => {
                self.refuse(reason);
                None
            }
        }
    }

    /// Does it, or returns the reason why not.
    pub fn try_apply(self, edit: Edit) -> Result<Applied, String> {
        let mut result = Ok(Applied::default());
        self.document.maybe_update(|document| {
            let before = document.revision();
            result = document.apply(edit, now_ms());
            document.revision() != before
        });
        result
    }

    /// Sets a key of a node. An empty value takes the key away.
    pub fn set_key(self, node: &str, key: &str, value: Option<Value>) {
        self.apply(Edit::SetKey {
            node: node.to_owned(),
            key: key.to_owned(),
            value,
        });
    }

    /// Why something is not possible, for everybody.
    pub fn refuse(self, reason: String) {
        self.said.set(reason.clone());
        self.toasts.warn(reason);
    }

    /// Takes the last step back.
    pub fn undo(self) {
        self.travel("Undone", Document::undo);
    }

    /// Does it again.
    pub fn redo(self) {
        self.travel("Done again", Document::redo);
    }

    fn travel(self, word: &str, go: impl FnOnce(&mut Document) -> Option<String>) {
        let mut label = None;
        self.document.maybe_update(|document| {
            label = go(document);
            label.is_some()
        });
        if let Some(label) = label {
            self.said.set(format!("{word}: {label}"));
        }
    }

    /// Adds a node and selects it.
    pub fn add(self, kind: Kind, place: Point, from: Option<PortRef>, to: Option<String>) {
        let applied = self.apply(Edit::AddNode {
            kind,
            at: place,
            from,
            to,
        });
        if let Some(applied) = applied {
            self.select(&applied.created);
            self.said.set(format!("{} added", kind.label()));
        }
    }

    /// Adds a node where there is room in the middle of the view.
    pub fn add_anywhere(self, kind: Kind) {
        let size = size_of_new(kind);
        let place = self.handle.with(|stage| stage.model.free_place(size));
        self.add(kind, place.unwrap_or_default(), None, None);
    }

    /// Adds what was chosen of an offer. A wire ends at the port of the new node.
    pub fn accept(self, offer: Offer, kind: Kind) {
        let Offer {
            place, from, to, ..
        } = offer;
        let (w, _) = size_of_new(kind);
        let corner = if from.is_some() {
            at(place.x, place.y - HEAD_PORT_Y)
        } else if to.is_some() {
            at(place.x - NODE_W, place.y - HEAD_PORT_Y)
        } else {
            at(place.x - w / 2.0, place.y - HEAD_PORT_Y)
        };
        self.add(kind, snapped(corner), from, to);
    }

    /// Copies the selected nodes beside themselves.
    pub fn duplicate(self) {
        let nodes = self.selected_nodes();
        if nodes.is_empty() {
            return;
        }
        let chosen = nodes.iter().map(String::as_str).collect();
        let fragment = self.peek(|drawing| Fragment::copy(drawing, &chosen));
        self.paste(fragment, 2.0 * GRID, 2.0 * GRID);
    }

    fn paste(self, fragment: Fragment, dx: f64, dy: f64) {
        let applied = self.apply(Edit::Paste {
            fragment: Box::new(fragment),
            dx,
            dy,
        });
        if let Some(applied) = applied {
            self.select(&applied.created);
            self.said.set(format!("{} pasted", applied.created.len()));
        }
    }

    /// Switches the selected nodes off, or on again when all of them are off.
    pub fn toggle_disabled(self) {
        let nodes = self.selected_nodes();
        let all_off = self.peek(|drawing| {
            nodes
                .iter()
                .filter_map(|id| drawing.node(id))
                .all(node_html::disabled)
        });
        let value = (!all_off).then_some(Value::Bool(true));
        let runs = |id: &String| {
            let kind = self.peek(|drawing| drawing.node(id).and_then(DrawnNode::known_kind));
            kind.is_some_and(Kind::runs)
        };
        let nodes: Vec<String> = nodes.into_iter().filter(runs).collect();
        if !nodes.is_empty() {
            self.apply(Edit::SetKeys {
                nodes,
                key: "disabled".into(),
                value,
            });
        }
    }

    /// A drag on the empty canvas selects, or moves it again.
    pub fn toggle_tool(self) {
        self.selecting.update(|on| *on = !*on);
        let tool = if self.selecting.get_untracked() {
            Tool::Select
        } else {
            Tool::Hand
        };
        self.handle.with(|stage| stage.model.tool = tool);
    }

    /// Puts everything, or what is selected, where the layout wants it.
    pub fn tidy(self) {
        let chosen = self.selected_nodes();
        let places = self.peek(|drawing| match chosen.len() {
            0 | 1 => tidy(drawing, &drawn_size),
            _ => tidy_part(drawing, &chosen),
        });
        let before = self.handle.with(|stage| {
            stage.model.settle();
            let scene = &stage.model.scene;
            let place = |n: u32| (n, at(scene.rect(n).x, scene.rect(n).y));
            (0..scene.nodes() as u32).map(place).collect::<Vec<_>>()
        });
        self.apply(Edit::Tidy(places));
        // The canvas follows the document a moment later; what it then finds, it lets glide.
        request_animation_frame(move || {
            if let Some(before) = before {
                self.handle.with(|stage| {
                    stage.model.glide_from(before, now_ms());
                    if chosen.len() < 2 {
                        stage.model.fit(now_ms());
                    }
                });
            }
        });
        self.said.set("Tidied up".into());
    }

    /// Removes these nodes.
    pub fn remove(self, nodes: Vec<String>, edges: Vec<String>) {
        self.apply(Edit::Remove { nodes, edges });
        self.handle.with(|stage| stage.focus());
    }
}
