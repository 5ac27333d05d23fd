//! Rounds of maps and loops in the list of tasks: `each[3].draft` stands below `each` while that one is
//! open. Pure.

use std::collections::{BTreeSet, HashMap};

use domain::{
    graph::Drawing,
    id::TaskName,
    run::{Run, Task},
};

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The task.
    pub name: TaskName,
    /// How many maps and loops are around it.
    pub depth: usize,
    /// Which round of the one around it, counted from 0.
    pub round: Option<u32>,
    /// Whether it has rounds of its own.
    pub folds: bool,
}

/// The task around one inside a round, and which round: `each[3].draft` is of `each`, 3.
pub fn around(name: &str) -> Option<(&str, u32)> {
    let (owner, inside) = name.rsplit_once('[')?;
    let (round, _) = inside.split_once(']')?;
    Some((owner, round.parse().ok()?))
}

/// What stands before the names of tasks of the same round: `each[3].`; nothing outside of rounds.
pub fn prefix(name: &str) -> &str {
    match name.rsplit_once("].") {
        Some((round, _)) => &name[..round.len() + 2],
        None => "",
    }
}

/// The task of the drawing itself that a task is in, or is.
pub fn root(name: &str) -> &str {
    name.split('[').next().unwrap_or(name)
}

/// Tasks of the drawing itself; those of rounds stand behind them.
pub fn top(run: &Run) -> impl Iterator<Item = (&TaskName, &Task)> {
    run.tasks
        .iter()
        .take_while(|(name, _)| !name.as_str().contains('['))
}

/// Reads the drawing that a task's node stands in: that of the run, or the body of a map or loop.
pub fn within<T>(drawing: &Drawing, name: &str, read: impl FnOnce(&Drawing) -> T) -> Option<T> {
    let mut bodies = Vec::new();
    let mut at = name;
    while let Some((owner, _)) = around(at) {
        bodies.push(owner.rsplit("].").next().unwrap_or(owner));
        at = owner;
    }
    let mut inner: Option<Drawing> = None;
    for node in bodies.into_iter().rev() {
        let body = inner
            .as_ref()
            .unwrap_or(drawing)
            .node(node)?
            .keys
            .get("body")?;
        inner = Some(Drawing::body(body).ok()?.0);
    }
    Some(read(inner.as_ref().unwrap_or(drawing)))
}

/// The rows of the list, with the rounds of the tasks that are open.
pub fn rows(run: &Run, open: &BTreeSet<TaskName>) -> Vec<Row> {
    let mut inside: HashMap<&str, Vec<(u32, &TaskName)>> = HashMap::new();
    if !open.is_empty() {
        for name in run.tasks.keys() {
            if let Some((owner, round)) = around(name.as_str())
                && open.contains(owner)
            {
                inside.entry(owner).or_default().push((round, name));
            }
        }
    }
    for tasks in inside.values_mut() {
        // Rounds begin in any order when some are taken up again.
        tasks.sort_by_key(|(round, _)| *round);
    }
    let mut rows = Vec::new();
    for (name, _) in top(run) {
        push(run, &inside, name, None, 0, &mut rows);
    }
    rows
}

fn push(
    run: &Run,
    inside: &HashMap<&str, Vec<(u32, &TaskName)>>,
    name: &TaskName,
    round: Option<u32>,
    depth: usize,
    rows: &mut Vec<Row>,
) {
    rows.push(Row {
        name: name.clone(),
        depth,
        round,
        folds: run.tasks.get(name).is_some_and(|task| task.body.is_some()),
    });
    for (round, name) in inside.get(name.as_str()).into_iter().flatten() {
        push(run, inside, name, Some(*round), depth + 1, rows);
    }
}

/// The row of a task, or of the nearest one around it that is in the list.
pub fn place(rows: &[Row], name: &TaskName) -> Option<usize> {
    let mut at = name.as_str();
    loop {
        if let Some(place) = rows.iter().position(|row| row.name.as_str() == at) {
            return Some(place);
        }
        at = around(at)?.0;
    }
}

/// Every task around a task, which must be open for it to be in the list.
pub fn owners(name: &TaskName) -> Vec<TaskName> {
    let mut owners = Vec::new();
    let mut at = name.as_str();
    while let Some((owner, _)) = around(at) {
        owners.extend(TaskName::parse(owner).ok());
        at = owner;
    }
    owners
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::run_view::story::{blocked, name, queued};

    fn run(rounds: u32) -> Run {
        let mut run = queued();
        let mut each = blocked("each");
        each.body = Some(Vec::new().into());
        run.tasks.insert(name("each"), each);
        run.tasks.insert(name("end"), blocked("end"));
        for round in (0..rounds).rev() {
            for inner in ["draft", "check"] {
                run.tasks
                    .insert(name(&format!("each[{round}].{inner}")), blocked(inner));
            }
        }
        run.tasks
            .insert(name("each[1].check[0].deep"), blocked("deep"));
        run
    }

    fn said(open: &[&str]) -> String {
        let open = open.iter().map(|raw| name(raw)).collect();
        let rows = rows(&run(2), &open);
        let rows = rows.iter().map(|row| {
            let fold = if row.folds { " +" } else { "" };
            format!("{}{}{fold}", "  ".repeat(row.depth), row.name)
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn rounds_stand_below_what_is_open() {
        expect![[r"
            plan
            build
            each +
            end"]]
        .assert_eq(&said(&[]));
        expect![[r"
            plan
            build
            each +
              each[0].draft
              each[0].check
              each[1].draft
              each[1].check
                each[1].check[0].deep
            end"]]
        .assert_eq(&said(&["each", "each[1].check"]));
    }

    #[test]
    fn a_task_that_is_folded_away_is_found_at_what_is_around_it() {
        let all = rows(&run(2), &BTreeSet::new());
        assert_eq!(place(&all, &name("each[1].check[0].deep")), Some(2));
        assert_eq!(place(&all, &name("end")), Some(3));
        assert_eq!(place(&all, &name("gone")), None);
        let owners: Vec<_> = owners(&name("each[1].check[0].deep"));
        assert_eq!(owners, [name("each[1].check"), name("each")]);
    }

    #[test]
    fn names_fall_into_parts() {
        assert_eq!(around("plan"), None);
        assert_eq!(around("each[12].draft"), Some(("each", 12)));
        assert_eq!(root("each[1].check[0].deep"), "each");
        assert_eq!(prefix("each[1].check[0].deep"), "each[1].check[0].");
        assert_eq!(prefix("plan"), "");
    }

    #[test]
    fn the_node_of_a_round_stands_in_the_body() {
        let (drawing, _) = Drawing::from_value(json!({
            "troupe": 1, "name": "",
            "nodes": [{"id": "each", "kind": "map", "body": {"nodes": [
                {"id": "again", "kind": "loop", "body": {"nodes": [{"id": "deep", "kind": "output"}], "edges": []}},
            ], "edges": []}}],
            "edges": [],
        }))
        .unwrap();
        let ids = |name: &str| {
            within(&drawing, name, |drawing| {
                let ids = drawing.nodes.iter().map(|node| node.id.clone());
                ids.collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(ids("each").as_deref(), Some("each"));
        assert_eq!(ids("each[0].again").as_deref(), Some("again"));
        assert_eq!(ids("each[0].again[7].deep").as_deref(), Some("deep"));
        assert_eq!(ids("gone[0].again"), None);
    }

    #[test]
    fn ten_thousand_rounds_are_listed_at_once() {
        let rows = rows(&run(10_000), &[name("each")].into());
        assert_eq!(rows.len(), 4 + 20_000);
    }
}
