//! A Redis that does not work, in every way that was thought of: told in time with the reason, and
//! afterwards everything is there in order, once.

use std::{sync::atomic::Ordering, time::Duration};

use futures::StreamExt;
use tokio::net::TcpListener;

use super::{
    daemon::{self, Daemon},
    heard,
    house::House,
    proxy::Proxy,
};

/// Keeps every write, whatever kills it.
const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test]
async fn killed_and_back_with_its_data() {
    let Some(mut redis) = Daemon::start(DURABLE).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    for _ in 0..3 {
        house.publish(700);
        tokio::task::yield_now().await;
        redis.kill().await;
        house.publish(700);
        let reason = house.degraded().await;
        assert!(reason.contains("Redis at 127.0.0.1:"), "{reason}");
        redis.start_again().await;
        house.works().await;
    }
    let last = house.publish(100);
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
}

#[tokio::test]
async fn killed_and_back_empty() {
    let Some(mut redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    let before = house.publish(500);
    redis.stream("events", before).await;
    // The reply to the last batch has been read once a later event went out.
    let mut channels = redis.listen("*").await;
    house.publish(1);
    heard(&mut channels, 1).await;
    house.delta("so that the reply before is read");
    heard(&mut channels, 1).await;
    redis.kill().await;
    house.publish(500);
    house.degraded().await;
    redis.start_again_empty().await;
    let last = house.publish(1);
    assert_eq!(
        redis.stream("events", last).await,
        house.log.entries(before + 2)
    );
}

#[tokio::test]
async fn back_without_the_end_of_its_stream() {
    let Some(mut redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    redis.stream("events", house.publish(100)).await;
    let _: () = redis.command("SAVE").await;
    let mut channels = redis.listen("*").await;
    house.publish(50);
    heard(&mut channels, 50).await;
    house.delta("so that the reply before is read");
    heard(&mut channels, 1).await;
    redis.kill().await;
    house.degraded().await;
    redis.start_again().await;
    let mut channels = redis.listen("*").await;
    house.works().await;
    let last = house.publish(3);
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
    let again: Vec<String> = heard(&mut channels, 3)
        .await
        .into_iter()
        .map(|(_, frame)| frame)
        .collect();
    let newest: Vec<String> = house
        .log
        .entries(last - 2)
        .into_iter()
        .map(|(_, frame)| frame)
        .collect();
    assert_eq!(again, newest, "nobody hears the others twice");
}

#[tokio::test]
async fn a_long_outage_is_read_from_the_log() {
    let Some(mut redis) = Daemon::start(DURABLE).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    redis.stream("events", house.publish(10)).await;
    redis.kill().await;
    house.publish(20_000);
    house.degraded().await;
    redis.start_again().await;
    let last = house.publish(1);
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
    assert!(house.log.reads.load(Ordering::Relaxed) > 10);
}

#[tokio::test]
async fn refused_at_the_start() {
    let Some(mut redis) = Daemon::start(&[]).await else {
        return;
    };
    redis.kill().await;
    let mut house = House::new(&redis.url(), "");
    house.publish(100);
    let reason = house.degraded().await;
    assert!(reason.contains("refuses connections"), "{reason}");
    redis.start_again().await;
    house.works().await;
    assert_eq!(redis.stream("events", 100).await, house.log.entries(1));
}

#[tokio::test]
async fn a_name_that_is_none() {
    let mut house = House::new("redis://redis.invalid:6379", "");
    let reason = house.degraded().await;
    assert!(reason.contains("cannot be reached"), "{reason}");
}

#[tokio::test]
async fn a_port_that_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut house = House::new(&format!("redis://{address}"), "");
    let reason = house.degraded().await;
    assert!(reason.contains("does not answer"), "{reason}");
}

#[tokio::test]
async fn the_wrong_password_and_then_the_right_one() {
    let Some(redis) = Daemon::start(&["--requirepass", "first-s3cret"]).await else {
        return;
    };
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", redis.port);
    let mut house = House::new(&url("other-s3cret"), "");
    house.publish(10);
    let reason = house.degraded().await;
    assert!(reason.contains("refuses the password"), "{reason}");
    assert!(!reason.contains("s3cret"), "{reason}");

    let mut bare = House::new(&redis.url(), "");
    let reason = bare.degraded().await;
    assert!(reason.contains("asks for a password"), "{reason}");

    let mut admin = daemon::connect(&url("first-s3cret")).await;
    let _: () = daemon::command(&mut admin, "CONFIG SET requirepass other-s3cret").await;
    house.works().await;
    // In the middle: connections that are open stay so, until they are cut.
    let _: () = daemon::command(&mut admin, "CONFIG SET requirepass third-s3cret").await;
    let _: usize = daemon::command(&mut admin, "CLIENT KILL TYPE normal SKIPME yes").await;
    house.publish(10);
    let reason = house.degraded().await;
    assert!(!reason.contains("s3cret"), "{reason}");
    let _: () = daemon::command(&mut admin, "CONFIG SET requirepass other-s3cret").await;
    house.works().await;
    let _: () = daemon::command(&mut admin, "CONFIG SET requirepass ").await;
    assert_eq!(
        redis.stream("events", house.publish(1)).await,
        house.log.entries(1)
    );
}

#[tokio::test]
async fn a_replica_takes_no_writes() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    redis.stream("events", house.publish(10)).await;
    // Nothing is published: the heartbeat has to find out.
    let port = daemon::free_port();
    let _: () = redis.command(&format!("REPLICAOF 127.0.0.1 {port}")).await;
    let reason = house.degraded().await;
    assert!(reason.contains("read-only replica"), "{reason}");
    let mut channels = redis.listen("*").await;
    let last = house.publish(10);
    house.delta("lost");
    let _: () = redis.command("REPLICAOF NO ONE").await;
    house.works().await;
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
    let frames: Vec<_> = heard(&mut channels, 10).await;
    assert!(frames.iter().all(|(_, frame)| frame != "lost"));
}

#[tokio::test]
async fn a_replica_from_the_start() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let port = daemon::free_port();
    let _: () = redis.command(&format!("REPLICAOF 127.0.0.1 {port}")).await;
    let mut house = House::new(&redis.url(), "");
    let reason = house.degraded().await;
    assert!(reason.contains("read-only replica"), "{reason}");
}

#[tokio::test]
async fn out_of_memory() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    redis.stream("events", house.publish(10)).await;
    let _: () = redis.command("CONFIG SET maxmemory 1").await;
    let reason = house.degraded().await;
    assert!(reason.contains("out of memory"), "{reason}");
    let last = house.publish(1_000);
    let _: () = redis.command("CONFIG SET maxmemory 0").await;
    house.works().await;
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
}

#[tokio::test]
async fn stopped_and_continued() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    let mut channels = redis.listen("*").await;
    house.publish(100);
    heard(&mut channels, 100).await;
    for busy in [false, true] {
        redis.signal("-STOP").await;
        if busy {
            // These wait in Redis' socket and are run late, after their sender has given up on them.
            house.publish(1_000);
        }
        let reason = house.degraded().await;
        assert!(reason.contains("does not answer"), "{reason}");
        house.publish(1_000);
        redis.signal("-CONT").await;
        house.works().await;
    }
    let last = house.publish(1);
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
    let frames: Vec<String> = heard(&mut channels, last as usize - 100)
        .await
        .into_iter()
        .map(|(_, frame)| frame)
        .collect();
    let events: Vec<String> = house
        .log
        .entries(101)
        .into_iter()
        .map(|(_, frame)| frame)
        .collect();
    assert_eq!(frames, events);
}

#[tokio::test]
async fn late_answers() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let proxy = Proxy::before(redis.port).await;
    let mut house = House::new(&proxy.url, "");
    house.works().await;
    proxy.delay(Duration::from_millis(900));
    let reason = house.degraded().await;
    assert!(reason.contains("answers slowly"), "{reason}");
    let last = house.publish(600);
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
    proxy.delay(Duration::ZERO);
    house.works().await;
}

#[tokio::test]
async fn no_answers_for_a_while() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    house.publish(100);
    let _: () = redis.command("CLIENT PAUSE 4000 ALL").await;
    house.publish(100);
    let reason = house.degraded().await;
    assert!(reason.contains("does not answer"), "{reason}");
    house.works().await;
    let last = house.publish(100);
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
}

#[tokio::test]
async fn replies_that_are_lost() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let proxy = Proxy::before(redis.port).await;
    let mut house = House::new(&proxy.url, "");
    house.works().await;
    let mut channels = redis.listen("*").await;
    for _ in 0..2 {
        proxy.mute(true);
        // Redis has these; the mirror cannot know.
        redis.stream("events", house.publish(50)).await;
        house.publish(50);
        house.degraded().await;
        proxy.mute(false);
        house.works().await;
    }
    let last = house.publish(1);
    let expected: Vec<_> = house.log.entries(1);
    assert_eq!(redis.stream("events", last).await, expected);
    let frames: Vec<String> = heard(&mut channels, last as usize)
        .await
        .into_iter()
        .map(|(_, frame)| frame)
        .collect();
    assert_eq!(
        frames,
        expected
            .into_iter()
            .map(|(_, frame)| frame)
            .collect::<Vec<_>>()
    );
    house.delta("end");
    let next = channels.next().await.expect("a message");
    assert_eq!(next.1, "end", "nothing was heard twice");
}

#[tokio::test]
async fn emptied_while_it_runs() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    let mut channels = redis.listen("*").await;
    for (round, emptied) in ["SCRIPT FLUSH", "FLUSHALL"].into_iter().enumerate() {
        house.publish(10);
        heard(&mut channels, 10).await;
        house.delta("so that the reply before is read");
        heard(&mut channels, 1).await;
        let _: () = redis.command(emptied).await;
        let last = house.publish(10);
        heard(&mut channels, 10).await;
        let from = if round == 0 { 1 } else { last - 9 };
        assert_eq!(redis.stream("events", last).await, house.log.entries(from));
    }
}

#[tokio::test]
async fn the_key_is_taken_by_something_else() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let _: () = redis.command("SET p:events mine").await;
    let mut house = House::new(&redis.url(), "p:");
    let reason = house.degraded().await;
    assert!(reason.contains("p:events"), "{reason}");
    let last = house.publish(3);
    let _: () = redis.command("DEL p:events").await;
    house.works().await;
    assert_eq!(redis.stream("p:events", last).await, house.log.entries(1));
}

#[tokio::test]
async fn an_end_while_redis_is_away_takes_no_time_and_loses_nothing() {
    let Some(mut redis) = Daemon::start(DURABLE).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    redis.stream("events", house.publish(10)).await;
    redis.kill().await;
    house.publish(10);
    house.degraded().await;
    let log = house.stop().await;
    redis.start_again().await;
    let house = House::with_log(&redis.url(), "", log);
    let last = house.publish(1);
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
}
