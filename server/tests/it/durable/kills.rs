//! `kill -9` at moments of chance, while runs are under way and while they are taken up again.

use std::time::Duration;

use serde_json::Value;

use super::{
    checker::{Evidence, assert_sound},
    client::Client,
    flows,
    process::Place,
};

/// Kills in the normal test.
const KILLS: u32 = 12;

/// Numbers by chance that are the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn set(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_by_chance_lose_nothing() {
    let by_chance = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| since.as_millis() as u64);
    let seed = set("TROUPE_TEST_SEED").unwrap_or(by_chance);
    let kills = set("TROUPE_TEST_KILLS").unwrap_or(u64::from(KILLS));
    eprintln!("TROUPE_TEST_SEED={seed} TROUPE_TEST_KILLS={kills}");
    let mut dice = Dice(seed);
    let place = Place::new().await;
    place.provider.takes(Duration::from_millis(20));
    let clients = [Client::new(), Client::new()];
    let mut accepted = Vec::new();
    let mut workflows: Vec<String> = Vec::new();
    for round in 0..kills {
        let process = place.started().await;
        clients
            .iter()
            .for_each(|client| client.follow(&process.address));
        if workflows.is_empty() {
            process.create(&flows::inner()).await.expect("alive");
            for (_, flow) in flows::shapes(place.provider.port) {
                workflows.push(process.create(&flow).await.expect("alive"));
            }
        }
        // Every third is killed while it still takes up what there is.
        if round % 3 == 2 {
            tokio::time::sleep(Duration::from_millis(dice.below(15))).await;
        } else {
            let workflow = &workflows[dice.below(workflows.len() as u64) as usize];
            let runs = (0..3).map(|number| {
                let key = format!("{round}-{number}");
                let process = &process;
                async move { process.run(workflow, &key).await }
            });
            for run in futures::future::join_all(runs).await {
                accepted.push(run.expect("alive"));
            }
            let answers = async {
                let all = accepted.iter().map(|run| process.end(run));
                futures::future::join_all(all).await
            };
            let _cut = tokio::time::timeout(Duration::from_millis(dice.below(600)), answers).await;
        }
        process.kill().await;
        // And one in four dies before anybody could ask it anything.
        if dice.below(4) == 0 {
            let early =
                tokio::time::timeout(Duration::from_millis(dice.below(400)), place.start(None));
            if let Ok(Some(process)) = early.await {
                process.kill().await;
            }
        }
    }
    let process = place.started().await;
    clients
        .iter()
        .for_each(|client| client.follow(&process.address));
    for run in &accepted {
        let end: Value = process.end(run).await.expect("alive");
        assert_eq!(end["status"], "succeeded", "seed {seed}: {end:#}");
    }
    let health = process.get("/healthz").await.expect("alive");
    assert_eq!(health["status"], "ok", "seed {seed}: {health}");
    process.kill().await;
    let ledger = place.provider.ledger();
    let evidence = Evidence {
        data: place.data(),
        accepted: &accepted,
        ledger: &ledger,
        clients: &clients.map(|client| client.log()),
    };
    assert_sound(&evidence, &format!("seed {seed}")).await;
}
