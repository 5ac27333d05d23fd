//! From what a person wants to what is done about it.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::{
    graph::{Drawing, DrawnEdge, DrawnNode, drawing::Place},
    id::NodeId,
    kind::Kind,
};
use serde_json::{Map, Value};

use super::{Plan, PortRef};
use crate::canvas::{
    clipboard::{Fragment, free_id},
    geometry::Point,
    op::{Meta, Op},
    references,
};

pub(super) fn only(op: Op) -> Plan {
    Plan {
        ops: vec![op],
        created: Vec::new(),
    }
}

fn find(drawing: &Drawing, id: &str) -> Result<usize, String> {
    drawing
        .nodes
        .iter()
        .position(|node| node.id == id)
        .ok_or_else(|| format!("There is no node {id} any more."))
}

pub(super) fn add_node(
    drawing: &Drawing,
    kind: Kind,
    at: Point,
    from: Option<PortRef>,
    to: Option<String>,
) -> Plan {
    let taken: HashSet<String> = drawing.nodes.iter().map(|node| node.id.clone()).collect();
    let id = free_id(kind.name(), &taken);
    let node = DrawnNode {
        keys: first_keys(kind, from.as_ref()),
        id: id.clone(),
        kind: kind.name().to_owned(),
    };
    let mut edges = Vec::new();
    if let Some(from) = from.filter(|_| !kind.ports_in().is_empty()) {
        edges.push(DrawnEdge::between(&from.node, &from.port, &id));
    }
    if let Some(to) = to
        && let Some(port) = node.ports_out().first()
    {
        edges.push(DrawnEdge::between(&id, port, &to));
    }
    let places = [(
        id.clone(),
        Place {
            x: at.x,
            y: at.y,
            size: None,
        },
    )]
    .into();
    insert(
        drawing,
        Fragment {
            nodes: vec![node],
            edges,
            places,
        },
    )
}

/// What a fresh node holds: where it is drawn out of another, a step that passes its result on.
fn first_keys(kind: Kind, from: Option<&PortRef>) -> Map<String, Value> {
    let mut keys = Map::new();
    let Some(from) = from else {
        return keys;
    };
    let passed_on = format!("{{{{ {} }}}}", references::output_of(&from.node));
    match kind {
        Kind::Transform => {
            keys.insert("template".into(), passed_on.into());
        }
        Kind::Output => {
            keys.insert("value".into(), passed_on.into());
        }
        Kind::Approval => {
            keys.insert(
                "message".into(),
                format!("Go on with this?\n\n{passed_on}").into(),
            );
        }
        Kind::Map => {
            keys.insert("items".into(), references::output_of(&from.node).into());
        }
        Kind::Agent
        | Kind::Branch
        | Kind::Loop
        | Kind::Http
        | Kind::Wait
        | Kind::Workflow
        | Kind::Note => {}
    }
    keys
}

pub(super) fn insert(drawing: &Drawing, fragment: Fragment) -> Plan {
    let created = fragment.nodes.iter().map(|node| node.id.clone()).collect();
    let mut ops = Vec::new();
    if !fragment.nodes.is_empty() {
        let first = drawing.nodes.len();
        let nodes = fragment.nodes.into_iter().enumerate();
        ops.push(Op::InsertNodes(
            nodes.map(|(at, node)| (first + at, node)).collect(),
        ));
    }
    if !fragment.places.is_empty() {
        let places = fragment.places.into_iter();
        ops.push(Op::SetPlaces(
            places.map(|(id, place)| (id, Some(place))).collect(),
        ));
    }
    if !fragment.edges.is_empty() {
        let first = drawing.edges.len();
        let edges = fragment.edges.into_iter().enumerate();
        ops.push(Op::InsertEdges(
            edges.map(|(at, edge)| (first + at, edge)).collect(),
        ));
    }
    Plan { ops, created }
}

pub(super) fn remove(drawing: &Drawing, nodes: &[String], edges: &[String]) -> Plan {
    let nodes: HashSet<&str> = nodes.iter().map(String::as_str).collect();
    let edges: HashSet<&str> = edges.iter().map(String::as_str).collect();
    let gone_edges: Vec<usize> = places_of(&drawing.edges, |edge| {
        nodes.contains(edge.source().0)
            || nodes.contains(edge.target().0)
            || (!edges.is_empty() && edges.contains(edge.id().as_str()))
    });
    let gone_nodes: Vec<usize> = places_of(&drawing.nodes, |node| nodes.contains(node.id.as_str()));
    let gone_places: BTreeMap<String, Option<Place>> = nodes
        .iter()
        .filter(|id| drawing.layout.nodes.contains_key(**id))
        .map(|id| ((*id).to_owned(), None))
        .collect();
    let mut ops = Vec::new();
    if !gone_edges.is_empty() {
        ops.push(Op::RemoveEdges(gone_edges));
    }
    if !gone_nodes.is_empty() {
        ops.push(Op::RemoveNodes(gone_nodes));
    }
    if !gone_places.is_empty() {
        ops.push(Op::SetPlaces(gone_places));
    }
    Plan {
        ops,
        created: Vec::new(),
    }
}

fn places_of<T>(list: &[T], chosen: impl Fn(&T) -> bool) -> Vec<usize> {
    list.iter()
        .enumerate()
        .filter(|(_, item)| chosen(item))
        .map(|(at, _)| at)
        .collect()
}

pub(super) fn places(drawing: &Drawing, moved: Vec<(String, Point)>) -> Plan {
    let changed: BTreeMap<String, Option<Place>> = moved
        .into_iter()
        .filter_map(|(id, to)| {
            let before = drawing.layout.nodes.get(&id);
            let place = Place {
                x: to.x,
                y: to.y,
                size: before.and_then(|place| place.size),
            };
            (before != Some(&place)).then_some((id, Some(place)))
        })
        .collect();
    if changed.is_empty() {
        Plan::default()
    } else {
        only(Op::SetPlaces(changed))
    }
}

pub(super) fn set_key(
    drawing: &Drawing,
    id: &str,
    key: &str,
    value: Option<Value>,
) -> Result<Plan, String> {
    let at = find(drawing, id)?;
    let mut node = drawing.nodes[at].clone();
    match value {
        Some(value) => {
            node.keys.insert(key.to_owned(), value);
        }
        None => {
            node.keys.shift_remove(key);
        }
    }
    if node == drawing.nodes[at] {
        return Ok(Plan::default());
    }
    let mut ops = Vec::new();
    let renamed = renamed_ports(&drawing.nodes[at].ports_out(), &node.ports_out());
    if !renamed.is_empty() {
        for (place, edge) in drawing.edges.iter().enumerate() {
            let (from, port) = edge.source();
            if from == id
                && let Some(new) = renamed.get(port)
            {
                let from = DrawnEdge::between(id, new, &edge.to).from;
                ops.push(Op::SetEdge(
                    place,
                    Box::new(DrawnEdge {
                        from,
                        ..edge.clone()
                    }),
                ));
            }
        }
    }
    ops.push(Op::SetNode(at, Box::new(node)));
    Ok(Plan {
        ops,
        created: Vec::new(),
    })
}

/// A port counts as renamed when it stands where the old one stood and neither list has both names.
fn renamed_ports(before: &[String], after: &[String]) -> HashMap<String, String> {
    if before.len() != after.len() {
        return HashMap::new();
    }
    before
        .iter()
        .zip(after)
        .filter(|(old, new)| !after.contains(old) && !before.contains(new))
        .map(|(old, new)| (old.clone(), new.clone()))
        .collect()
}

pub(super) fn rename(drawing: &Drawing, id: &str, to: &str) -> Result<Plan, String> {
    let at = find(drawing, id)?;
    if id == to {
        return Ok(Plan::default());
    }
    NodeId::parse(to).map_err(|_| "An id is 1 to 64 of a-z, 0-9, _ and -.".to_owned())?;
    if drawing.nodes.iter().any(|node| node.id == to) {
        return Err(format!("There is already a node {to}."));
    }
    // Where two nodes share an id, nobody can say which of them the edges and texts mean.
    let shared = drawing.nodes.iter().filter(|node| node.id == id).count() > 1;
    let mut ops = Vec::new();
    for (place, node) in drawing.nodes.iter().enumerate() {
        let mut changed = if shared {
            None
        } else {
            references::rename(node, id, to)?
        };
        if place == at {
            changed.get_or_insert_with(|| node.clone()).id = to.to_owned();
        }
        if let Some(changed) = changed {
            ops.push(Op::SetNode(place, Box::new(changed)));
        }
    }
    if !shared {
        for (place, edge) in drawing.edges.iter().enumerate() {
            let mut changed = edge.clone();
            for end in [&mut changed.from, &mut changed.to] {
                if let Some(rest) = end.strip_prefix(id)
                    && (rest.is_empty() || rest.starts_with('.'))
                {
                    *end = format!("{to}{rest}");
                }
            }
            if changed != *edge {
                ops.push(Op::SetEdge(place, Box::new(changed)));
            }
        }
    }
    if let Some(place) = drawing.layout.nodes.get(id) {
        let mut places: BTreeMap<String, Option<Place>> = [(to.to_owned(), Some(*place))].into();
        if !shared {
            places.insert(id.to_owned(), None);
        }
        ops.push(Op::SetPlaces(places));
    }
    Ok(Plan {
        ops,
        created: Vec::new(),
    })
}

pub(super) fn connect(drawing: &Drawing, from: &PortRef, to: &str) -> Result<Plan, String> {
    find(drawing, &from.node)?;
    find(drawing, to)?;
    let edge = DrawnEdge::between(&from.node, &from.port, to);
    let known =
        |other: &DrawnEdge| other.source() == edge.source() && other.target() == edge.target();
    if drawing.edges.iter().any(known) {
        return Err("These two are already connected.".into());
    }
    Ok(only(Op::InsertEdges(vec![(drawing.edges.len(), edge)])))
}

pub(super) fn set_label(drawing: &Drawing, id: &str, label: String) -> Result<Plan, String> {
    let at = drawing
        .edges
        .iter()
        .position(|edge| edge.id() == id)
        .ok_or_else(|| "This connection is gone.".to_owned())?;
    let edge = &drawing.edges[at];
    if edge.label == label {
        return Ok(Plan::default());
    }
    Ok(only(Op::SetEdge(
        at,
        Box::new(DrawnEdge {
            label,
            ..edge.clone()
        }),
    )))
}

pub(super) fn set_meta(drawing: &Drawing, change: impl FnOnce(&mut Meta)) -> Plan {
    let before = Meta::of(drawing);
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        Plan::default()
    } else {
        only(Op::SetMeta(Box::new(after)))
    }
}
