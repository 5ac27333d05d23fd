//! Workflows: every save stays, nobody overwrites anybody, a deletion can be taken back.

use app::api::dto::WorkflowQuery;
use domain::graph::Drawing;
use serde_json::json;

use super::*;
use crate::store::{SaveResult, StoreError};

fn later(ms: u64) -> Timestamp {
    NOON.plus_ms(ms)
}

#[tokio::test]
async fn every_save_is_a_version_that_stays() {
    let store = store().await;
    for version in 1..4_u32 {
        let saved = store
            .save_workflow(
                workflow(1),
                version,
                &drawing(&format!("v{}", version + 1)),
                "eve",
                later(version.into()),
            )
            .await
            .expect("it is the newest");
        assert_eq!(saved, SaveResult::Saved(version + 1));
    }
    for (version, name) in [
        (None, "v4"),
        (Some(4), "v4"),
        (Some(2), "v2"),
        (Some(1), "one"),
    ] {
        let found = store
            .workflow(workflow(1), version)
            .await
            .expect("readable")
            .expect("it is there");
        assert_eq!(
            (found.drawing, found.newest),
            (drawing(name), 4),
            "{version:?}"
        );
        assert_eq!(found.version, version.unwrap_or(4));
    }
    assert!(
        store
            .workflow(workflow(1), Some(5))
            .await
            .expect("readable")
            .is_none()
    );
    assert!(
        store
            .workflow(workflow(2), None)
            .await
            .expect("readable")
            .is_none()
    );
    let versions = store.versions(workflow(1)).await.expect("readable");
    let shown: Vec<_> = versions
        .iter()
        .map(|version| (version.version, version.created_at, version.by.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (4, later(3), "eve"),
            (3, later(2), "eve"),
            (2, later(1), "eve"),
            (1, NOON, "test")
        ]
    );
    assert!(
        store
            .versions(workflow(2))
            .await
            .expect("readable")
            .is_empty()
    );

    let mut writer = store.writer.lock().await;
    let refused = sqlx::query("UPDATE workflow_versions SET drawing = '{}'")
        .execute(writer.connection())
        .await
        .map(|_| ());
    assert!(
        refused.is_err_and(|error| error.to_string().contains("a stored version never changes"))
    );
}

#[tokio::test]
async fn the_slower_of_two_is_told_and_overwrites_nothing() {
    let store = store().await;
    let (one, two) = (drawing("from one"), drawing("from two"));
    let (first, second) = tokio::join!(
        store.save_workflow(workflow(1), 1, &one, "one", later(1)),
        store.save_workflow(workflow(1), 1, &two, "two", later(1)),
    );
    let mut results = [first.expect("no failure"), second.expect("no failure")];
    results.sort_by_key(|result| matches!(result, SaveResult::Conflict(_)));
    assert_eq!(results, [SaveResult::Saved(2), SaveResult::Conflict(2)]);
    for expected in [0, 1, 3, u32::MAX] {
        let late = store
            .save_workflow(workflow(1), expected, &one, "one", later(2))
            .await;
        assert_eq!(
            late.expect("no failure"),
            SaveResult::Conflict(2),
            "{expected}"
        );
    }
    assert_eq!(
        store.versions(workflow(1)).await.expect("readable").len(),
        2
    );
    let missing = store
        .save_workflow(workflow(7), 1, &one, "one", later(2))
        .await;
    assert_eq!(missing.expect("no failure"), SaveResult::Missing);
    let twice = store
        .create_workflow(workflow(1), &one, "one", later(3))
        .await;
    assert!(matches!(twice, Err(StoreError::Broken(_))));
}

#[tokio::test]
async fn a_deletion_hides_and_can_be_taken_back() {
    let store = store().await;
    let listed = async || {
        store
            .workflows(&WorkflowQuery::default())
            .await
            .expect("readable")
            .items
            .len()
    };
    assert!(
        !store
            .set_deleted(workflow(9), true, later(1))
            .await
            .expect("no failure")
    );
    for _ in 0..2 {
        assert!(
            store
                .set_deleted(workflow(1), true, later(1))
                .await
                .expect("no failure")
        );
    }
    assert_eq!(listed().await, 0);
    let found = store
        .workflow(workflow(1), None)
        .await
        .expect("readable")
        .expect("runs still show it");
    assert!(found.deleted);
    let saved = store
        .save_workflow(workflow(1), 1, &drawing("x"), "eve", later(2))
        .await;
    assert_eq!(saved.expect("no failure"), SaveResult::Missing);
    assert_eq!(store.workflow_count().await.expect("readable"), 1);
    assert!(
        store
            .set_deleted(workflow(1), false, later(3))
            .await
            .expect("no failure")
    );
    assert_eq!(listed().await, 1);
    let found = store
        .workflow(workflow(1), None)
        .await
        .expect("readable")
        .expect("it is back");
    assert_eq!((found.deleted, found.saved_at), (false, NOON));
}

#[tokio::test]
async fn the_list_says_what_a_workflow_is() {
    let store = store().await;
    let file = json!({
        "troupe": 1, "name": "Böse \"Namen\" '; --", "description": "50% ÄRGER_",
        "nodes": [
            {"id": "n", "kind": "note", "text": "remark"},
            {"id": "a", "kind": "transform", "template": "x"},
            {"id": "?", "kind": "unheard of"},
        ],
    });
    let odd = Drawing::from_value(file).expect("it is an object").0;
    store
        .create_workflow(workflow(2), &odd, "eve", later(1))
        .await
        .expect("it is new");
    let runs = (1..4)
        .map(|number| {
            changed(
                run_row(run(number), "failed", later(number as u64)),
                Vec::new(),
                Vec::new(),
            )
        })
        .collect();
    store
        .append(&Batch {
            runs,
            ..Batch::default()
        })
        .await
        .expect("it fits");

    let items = store
        .workflows(&WorkflowQuery::default())
        .await
        .expect("readable")
        .items;
    assert_eq!(
        items.iter().map(|item| item.id).collect::<Vec<_>>(),
        [workflow(2), workflow(1)]
    );
    assert_eq!(items[0].name, "Böse \"Namen\" '; --");
    assert_eq!(
        (items[0].nodes, items[0].runnable, items[0].version),
        (2, false, 1)
    );
    assert!(items[0].last_run.is_none());
    let last = items[1].last_run.as_ref().expect("it has runs");
    assert_eq!(
        (last.id, last.status.as_str(), last.created_at),
        (run(3), "failed", later(3))
    );
    let runnable = domain::graph::check::check(&drawing("one")).0.is_some();
    assert_eq!((items[1].nodes, items[1].runnable), (1, runnable));

    for (search, found) in [
        ("böse", 1),
        ("BÖSE", 1),
        ("ärger", 1),
        ("50%", 1),
        ("%", 1),
        ("_", 1),
        ("a_a", 0),
        ("'; --", 1),
        ("one", 1),
        ("  One ", 1),
        ("", 2),
        ("made by", 1),
        ("nothing", 0),
    ] {
        let query = WorkflowQuery {
            search: Some(search.into()),
            ..WorkflowQuery::default()
        };
        let items = store.workflows(&query).await.expect("readable").items;
        assert_eq!(items.len(), found, "{search}");
    }
}

#[tokio::test]
async fn pages_of_workflows_have_no_gaps_and_no_repeats() {
    let store = SqliteStore::temporary().await.expect("it opens");
    for number in 0..25 {
        let at = later(number as u64 / 3);
        store
            .create_workflow(workflow(number), &drawing("w"), "eve", at)
            .await
            .expect("it is new");
    }
    let expected: Vec<WorkflowId> = (0..25).rev().map(workflow).collect();
    for limit in [1, 2, 3, 24, 25, 26] {
        let mut query = WorkflowQuery {
            limit: Some(limit),
            ..WorkflowQuery::default()
        };
        let mut found = Vec::new();
        loop {
            let page = store.workflows(&query).await.expect("readable");
            found.extend(page.items.into_iter().map(|item| item.id));
            assert!(found.len() <= 25, "the list has no end");
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(found, expected, "{limit}");
    }
}

#[tokio::test]
async fn a_large_drawing_survives_the_round_trip() {
    let store = store().await;
    let nodes: Vec<_> = (0..10_000)
        .map(|number| json!({"id": format!("n{number}"), "kind": "transform", "template": "{{ input.x }} ❄", "strange": {"kept": [1, null]}}))
        .collect();
    let edges: Vec<_> = (1..10_000)
        .map(|number| json!({"from": format!("n{}", number - 1), "to": format!("n{number}")}))
        .collect();
    let places: serde_json::Map<_, _> = (0..10_000)
        .map(|number| (format!("n{number}"), json!([number * 10, -number])))
        .collect();
    let file = json!({"troupe": 1, "name": "large", "nodes": nodes, "edges": edges, "layout": {"nodes": places}, "unknown": {"b": 1, "a": 2}});
    let large = Drawing::from_value(file).expect("it is an object").0;
    let saved = store
        .save_workflow(workflow(1), 1, &large, "eve", later(1))
        .await
        .expect("it fits");
    assert_eq!(saved, SaveResult::Saved(2));
    let found = store
        .workflow(workflow(1), None)
        .await
        .expect("readable")
        .expect("it is there");
    assert_eq!(found.drawing, large);
    assert_eq!(found.drawing.to_text(), large.to_text());
    let items = store
        .workflows(&WorkflowQuery::default())
        .await
        .expect("readable")
        .items;
    assert_eq!(items[0].nodes, 10_000);
}
