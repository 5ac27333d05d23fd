//! The few ways in which a drawing can change, each with its exact inverse. `edit` says what people
//! mean and is made of these; `history` keeps them.

use std::collections::BTreeMap;

use domain::graph::{Drawing, DrawnEdge, DrawnNode, InputSpec, drawing::Place};

/// One change. Places in lists are those at the moment of the change.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Puts nodes where they shall stand, lowest place first.
    InsertNodes(Vec<(usize, DrawnNode)>),
    /// Takes nodes out, lowest place first.
    RemoveNodes(Vec<usize>),
    /// Puts edges where they shall stand, lowest place first.
    InsertEdges(Vec<(usize, DrawnEdge)>),
    /// Takes edges out, lowest place first.
    RemoveEdges(Vec<usize>),
    /// Another node in this place.
    SetNode(usize, Box<DrawnNode>),
    /// Another edge in this place.
    SetEdge(usize, Box<DrawnEdge>),
    /// Where these stand on the canvas; `None` for nowhere.
    SetPlaces(BTreeMap<String, Option<Place>>),
    /// Name, description, inputs.
    SetMeta(Box<Meta>),
    /// Another drawing altogether.
    SetAll(Box<Drawing>),
}

/// What a drawing says about itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Meta {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What a run may be given.
    pub inputs: Vec<InputSpec>,
}

/// What has to be looked at again after changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Touched {
    /// Nodes or edges came or went: places in the lists mean something else now.
    pub structure: bool,
    /// Nodes whose content changed, by place in the list (void when `structure`).
    pub nodes: Vec<usize>,
    /// Edges whose ends or label changed, by place in the list (void when `structure`).
    pub edges: Vec<usize>,
    /// Something stands elsewhere.
    pub places: bool,
    /// Name, description or inputs changed.
    pub meta: bool,
}

impl Touched {
    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Notes what `op` touches.
    pub fn add(&mut self, op: &Op) {
        match op {
            Op::InsertNodes(_) | Op::RemoveNodes(_) | Op::InsertEdges(_) | Op::RemoveEdges(_) => {
                self.structure = true;
            }
            Op::SetNode(at, _) => self.nodes.push(*at),
            Op::SetEdge(at, _) => self.edges.push(*at),
            Op::SetPlaces(_) => self.places = true,
            Op::SetMeta(_) => self.meta = true,
            Op::SetAll(_) => {
                self.structure = true;
                self.places = true;
                self.meta = true;
            }
        }
    }
}

impl Meta {
    /// What `drawing` says about itself.
    pub fn of(drawing: &Drawing) -> Self {
        Self {
            name: drawing.name.clone(),
            description: drawing.description.clone(),
            inputs: drawing.inputs.clone(),
        }
    }
}

impl Op {
    /// Changes the drawing; returns what takes the change back.
    pub fn apply(self, drawing: &mut Drawing) -> Op {
        match self {
            Op::InsertNodes(items) => Op::RemoveNodes(insert(&mut drawing.nodes, items)),
            Op::RemoveNodes(places) => Op::InsertNodes(remove(&mut drawing.nodes, &places)),
            Op::InsertEdges(items) => Op::RemoveEdges(insert(&mut drawing.edges, items)),
            Op::RemoveEdges(places) => Op::InsertEdges(remove(&mut drawing.edges, &places)),
            Op::SetNode(at, mut node) => {
                if let Some(slot) = drawing.nodes.get_mut(at) {
                    std::mem::swap(slot, &mut node);
                }
                Op::SetNode(at, node)
            }
            Op::SetEdge(at, mut edge) => {
                if let Some(slot) = drawing.edges.get_mut(at) {
                    std::mem::swap(slot, &mut edge);
                }
                Op::SetEdge(at, edge)
            }
            Op::SetPlaces(places) => Op::SetPlaces(
                places
                    .into_iter()
                    .map(|(id, place)| {
                        let before = match place {
                            Some(place) => drawing.layout.nodes.insert(id.clone(), place),
                            None => drawing.layout.nodes.remove(&id),
                        };
                        (id, before)
                    })
                    .collect(),
            ),
            Op::SetMeta(mut meta) => {
                std::mem::swap(&mut drawing.name, &mut meta.name);
                std::mem::swap(&mut drawing.description, &mut meta.description);
                std::mem::swap(&mut drawing.inputs, &mut meta.inputs);
                Op::SetMeta(meta)
            }
            Op::SetAll(mut other) => {
                std::mem::swap(drawing, &mut other);
                Op::SetAll(other)
            }
        }
    }
}

/// Applies one after the other; returns what takes all of them back, in the order to do it.
pub fn apply_all(drawing: &mut Drawing, ops: Vec<Op>, touched: &mut Touched) -> Vec<Op> {
    let mut back: Vec<Op> = ops
        .into_iter()
        .map(|op| {
            touched.add(&op);
            op.apply(drawing)
        })
        .collect();
    back.reverse();
    back
}

/// One pass over the list however many come in. Returns their places.
fn insert<T>(list: &mut Vec<T>, items: Vec<(usize, T)>) -> Vec<usize> {
    let mut places = Vec::with_capacity(items.len());
    let mut old = std::mem::take(list).into_iter();
    for (at, item) in items {
        while list.len() < at {
            match old.next() {
                Some(next) => list.push(next),
                None => break,
            }
        }
        places.push(list.len());
        list.push(item);
    }
    list.extend(old);
    places
}

/// One pass over the list however many go out. Returns them with their places.
fn remove<T>(list: &mut Vec<T>, places: &[usize]) -> Vec<(usize, T)> {
    let mut gone = Vec::with_capacity(places.len());
    let mut next = places.iter().copied().peekable();
    let mut kept = Vec::with_capacity(list.len());
    for (at, item) in std::mem::take(list).into_iter().enumerate() {
        if next.peek() == Some(&at) {
            next.next();
            gone.push((at, item));
        } else {
            kept.push(item);
        }
    }
    *list = kept;
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(ids: &str) -> Vec<DrawnNode> {
        ids.chars()
            .map(|id| DrawnNode {
                id: id.to_string(),
                kind: "agent".into(),
                ..Default::default()
            })
            .collect()
    }

    fn ids(drawing: &Drawing) -> String {
        drawing.nodes.iter().map(|node| node.id.as_str()).collect()
    }

    #[test]
    fn nodes_come_and_go_and_come_back_in_their_places() {
        let mut drawing = Drawing {
            nodes: nodes("abcdef"),
            ..Default::default()
        };
        let back = Op::RemoveNodes(vec![0, 2, 5]).apply(&mut drawing);
        assert_eq!(ids(&drawing), "bde");
        let again = back.apply(&mut drawing);
        assert_eq!(ids(&drawing), "abcdef");
        assert_eq!(again, Op::RemoveNodes(vec![0, 2, 5]));
    }

    #[test]
    fn places_beyond_the_end_mean_the_end() {
        let mut drawing = Drawing {
            nodes: nodes("ab"),
            ..Default::default()
        };
        let items = nodes("xy").into_iter().map(|node| (9, node)).collect();
        let back = Op::InsertNodes(items).apply(&mut drawing);
        assert_eq!(ids(&drawing), "abxy");
        back.apply(&mut drawing);
        assert_eq!(ids(&drawing), "ab");
    }

    #[test]
    fn a_place_that_was_not_there_is_taken_away_again() {
        let mut drawing = Drawing::default();
        let place = Place {
            x: 1.0,
            y: 2.0,
            size: None,
        };
        let op = Op::SetPlaces([("a".to_owned(), Some(place))].into());
        let back = op.apply(&mut drawing);
        assert_eq!(drawing.layout.nodes.len(), 1);
        back.apply(&mut drawing);
        assert_eq!(drawing, Drawing::default());
    }
}
