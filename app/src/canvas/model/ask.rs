//! What comes out of the machine besides its state: what has to be painted, and what the page is asked.

use crate::canvas::{
    edit::{Edit, PortRef},
    geometry::Point,
};

/// What the page is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Change the drawing.
    Edit(Edit),
    /// The selection is another one.
    Selection,
    /// Offer what can be added.
    Palette {
        /// Where, on screen.
        screen: Point,
        /// Where the new node shall stand.
        place: Point,
        /// The wire that was dropped there: from a port that goes out.
        from: Option<PortRef>,
        /// The wire that was dropped there, drawn backwards: to this node.
        to: Option<String>,
    },
    /// Tell somebody who cannot see it.
    Say(String),
    /// Tell somebody who cannot see it why something is not possible.
    Refused(String),
    /// Edit the label of an edge.
    Label(u32),
    /// Edit the title of a node.
    Rename(u32),
    /// Take the last step back.
    Undo,
    /// Do it again.
    Redo,
    /// Copy the selected nodes below the pointer or beside themselves.
    Duplicate,
    /// Switch the selected nodes off, or on again.
    ToggleDisabled,
    /// Put everything where the layout wants it.
    Tidy,
    /// Show or hide the small map.
    ToggleMinimap,
    /// Another tool: a drag on the empty canvas moves it, or selects.
    ToggleTool,
    /// Move the keyboard's focus to a node.
    Focus(u32),
}

/// What has to be painted again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dirty {
    /// Everything: nodes and edges have new numbers.
    pub all: bool,
    /// The view.
    pub view: bool,
    /// Nodes that stand elsewhere or have another size.
    pub moved: Vec<u32>,
    /// Nodes whose content is different.
    pub content: Vec<u32>,
    /// Edges whose content is different.
    pub edges: Vec<u32>,
    /// Nodes that were selected or not.
    pub selected: Vec<u32>,
    /// Edges that were selected or not.
    pub selected_edges: Vec<u32>,
    /// Nodes whose state in the run is different.
    pub status: Vec<u32>,
    /// The wire or the selection box.
    pub overlay: bool,
    /// Which nodes a wire may end at.
    pub legal: bool,
    /// Which node Tab goes to.
    pub active: bool,
    /// Buttons: lock, tool, zoom.
    pub chrome: bool,
}

impl Dirty {
    /// Whether anything has to be painted.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Nodes and edges have new numbers: the old ones mean nothing.
    pub(super) fn forget_numbers(&mut self) {
        self.moved.clear();
        self.content.clear();
        self.edges.clear();
        self.selected.clear();
        self.selected_edges.clear();
        self.status.clear();
    }
}
