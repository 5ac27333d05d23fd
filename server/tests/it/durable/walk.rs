//! The program dies at every place where it commits, publishes, answers or sends, over every shape of
//! a graph; is started again; and everything is as if nothing had been.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use server::failpoint::PLACES;

use super::{
    checker::{Evidence, assert_sound},
    client::Client,
    flows,
    process::{Place, Process},
};

/// How many cycles are under way at once.
const AT_ONCE: usize = 4;

/// At most so many deaths at one place in one shape, when every one is walked.
const MOST: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_anywhere_changes_nothing() {
    let all = std::env::var("TROUPE_TEST_WALK").is_ok_and(|walk| walk == "all");
    let names: Vec<&str> = flows::shapes(1).into_iter().map(|(name, _)| name).collect();
    let mut expected: BTreeMap<&str, Value> = BTreeMap::new();
    for (shape, name) in names.iter().enumerate() {
        let (died, result) = cycle(shape, None).await;
        assert!(!died, "{name} dies by itself");
        assert_eq!(result["status"], "succeeded", "{name}: {result:#}");
        expected.insert(name, result);
    }
    let cases = places()
        .into_iter()
        .enumerate()
        .flat_map(|(at, place)| (0..names.len()).map(move |shape| (at, place, shape)));
    let deaths: Vec<(&str, usize)> = stream::iter(cases)
        .map(|(at, place, shape)| {
            let (expected, name) = (&expected[names[shape]], names[shape]);
            async move {
                let mut deaths = 0;
                // Another moment for each shape and place; with `all`, every moment there is.
                let moments = match all {
                    true => (1..=MOST).collect(),
                    false => vec![moment(place, at + shape)],
                };
                for moment in moments {
                    let failpoint = format!("{place}:{moment}");
                    let (died, result) = cycle(shape, Some(&failpoint)).await;
                    assert_eq!(&result, expected, "{name} at {failpoint}");
                    deaths += usize::from(died);
                    if !died {
                        break;
                    }
                }
                (place, deaths)
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for place in places() {
        let deaths: usize = deaths
            .iter()
            .filter(|(at, _)| *at == place)
            .map(|(_, n)| n)
            .sum();
        assert!(deaths >= 1, "nothing ever dies at {place}");
    }
}

/// Where to die: a start without runs takes none up (`quarantine.rs` has some).
fn places() -> Vec<&'static str> {
    PLACES
        .into_iter()
        .filter(|place| *place != "take-up")
        .collect()
}

/// When to die, among the moments that every shape comes to.
fn moment(place: &str, number: usize) -> usize {
    match place {
        "before-http" | "http-answered" => 1,
        "before-call" | "first-text" | "call-finished" => 1 + number % 2,
        "before-reply" | "after-reply" => 1 + number % 5,
        "before-commit" | "after-commit" => 1 + number % 8,
        _ => 2 + number * 5 % 13,
    }
}

/// A run of this shape that is cut there, and goes on. Whether it was, and what came of it.
async fn cycle(shape: usize, failpoint: Option<&str>) -> (bool, Value) {
    let place = Place::new().await;
    let client = Client::new();
    let mut life = Life {
        place: &place,
        client: &client,
        process: None,
        failpoint,
        died: false,
    };
    let (name, flow) = flows::shapes(place.provider.port).swap_remove(shape);
    if name == "child" {
        life.creates(&flows::inner()).await;
    }
    let workflow = life.creates(&flow).await;
    let run = loop {
        let process = life.process().await;
        match process.run(&workflow, "walk").await {
            Ok(run) => break run,
            Err(_) => life.over().await,
        }
    };
    let result = loop {
        let process = life.process().await;
        match process.end(&run).await {
            Ok(result) => break result,
            Err(_) => life.over().await,
        }
    };
    let died = life.died;
    if let Some(process) = life.process.take() {
        process.kill().await;
    }
    let ledger = place.provider.ledger();
    let evidence = Evidence {
        data: place.data(),
        accepted: std::slice::from_ref(&run),
        ledger: &ledger,
        clients: &[client.log()],
    };
    assert_sound(
        &evidence,
        &format!("{name} at {failpoint:?}: {}", place.log()),
    )
    .await;
    (died, what_came_of(&result))
}

/// What must not depend on how often it died.
fn what_came_of(run: &Value) -> Value {
    let tasks = run["tasks"].as_array().expect("tasks").iter().map(|task| {
        let attempts = task["attempts"].as_array().map_or(0, Vec::len);
        let turns = task["attempts"][0]["turns"].as_array().map_or(0, Vec::len);
        json!([
            task["task"],
            task["status"],
            task["cost_usd"],
            attempts,
            turns
        ])
    });
    let tasks: Vec<Value> = tasks.collect();
    json!({ "status": run["status"], "output": run["output"], "cost": run["cost_usd"], "tokens": run["tokens"], "tasks": tasks })
}

/// The lives of the program: it dies once at most.
struct Life<'a> {
    place: &'a Place,
    client: &'a Client,
    process: Option<Process>,
    failpoint: Option<&'a str>,
    died: bool,
}

impl Life<'_> {
    async fn process(&mut self) -> &Process {
        while self.process.is_none() {
            self.process = self.place.start(self.failpoint).await;
            match &self.process {
                Some(process) => self.client.follow(&process.address),
                None => self.count(),
            }
        }
        self.process.as_ref().expect("just started")
    }

    /// It did not answer: it must be dead.
    async fn over(&mut self) {
        if let Some(process) = self.process.take() {
            let status = process.gone().await;
            assert!(!status.success(), "{status}");
        }
        self.count();
    }

    fn count(&mut self) {
        assert!(
            !self.died && self.failpoint.is_some(),
            "it died by itself: {}",
            self.place.log()
        );
        self.died = true;
        self.failpoint = None;
    }

    async fn creates(&mut self, flow: &Value) -> String {
        loop {
            match self.process().await.create(flow).await {
                Ok(id) => return id,
                Err(_) => self.over().await,
            }
        }
    }
}
