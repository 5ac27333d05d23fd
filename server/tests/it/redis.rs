//! The bus with its mirror in a real Redis: what other programs find there. What happens when Redis
//! does not work stands in `faults`.

mod daemon;
mod faults;
mod house;
mod patterns;
mod proxy;

use futures::{Stream, StreamExt};
use server::bus::{Bus, Payload, Received};
use tokio::time::timeout;

use self::{
    daemon::{Daemon, LONG},
    house::{House, topic},
};

/// The next messages on channels.
async fn heard(
    channels: &mut (impl Stream<Item = (String, String)> + Unpin),
    count: usize,
) -> Vec<(String, String)> {
    let heard = channels.take(count).collect();
    timeout(LONG, heard).await.expect("all of them in time")
}

#[tokio::test]
async fn every_event_is_in_the_stream_and_on_its_channel_once_and_in_order() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    let mut channels = redis.listen("*").await;
    let last = house.publish(1_000);
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
    let expected: Vec<_> = house.log.entries(1);
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(seq, frame)| (topic(seq), frame))
        .collect();
    assert_eq!(heard(&mut channels, expected.len()).await, expected);
}

#[tokio::test]
async fn text_and_figures_are_heard_among_events_and_not_kept() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "t:");
    house.works().await;
    let mut channels = redis.listen("t:*").await;
    house.delta("a");
    house.publish(1);
    house.delta("b");
    house
        .bus
        .publish("broadcast.metrics", Payload::metrics("m".into()));
    let last = house.publish(1);
    let heard: Vec<String> = heard(&mut channels, 5)
        .await
        .into_iter()
        .map(|(channel, _)| channel)
        .collect();
    assert_eq!(
        heard,
        [
            "t:workflow.1.deltas",
            "t:workflow.1.events",
            "t:workflow.1.deltas",
            "t:broadcast.metrics",
            "t:broadcast.system"
        ]
    );
    assert_eq!(redis.stream("t:events", last).await.len(), 2);
}

#[tokio::test]
async fn listeners_of_this_process_hear_without_redis() {
    let house = House::new(&format!("redis://127.0.0.1:{}", daemon::free_port()), "");
    let mut listener = house.bus.subscribe(vec!["*".into()]);
    house.publish(1);
    house.delta("a");
    for _ in 0..2 {
        let received = timeout(LONG, listener.recv()).await.expect("at once");
        assert!(matches!(received, Received::Message(_)));
    }
}

#[tokio::test]
async fn what_was_stored_while_nobody_published_follows_at_the_next_start() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let mut house = House::new(&redis.url(), "");
    house.works().await;
    redis.stream("events", house.publish(10)).await;
    let log = house.stop().await;
    for _ in 0..2_000 {
        log.store(7);
    }
    let house = House::with_log(&redis.url(), "", log);
    let last = house.publish(5);
    assert_eq!(redis.stream("events", last).await, house.log.entries(1));
}

#[tokio::test]
async fn a_stream_that_never_was_begins_where_the_server_began() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let log = std::sync::Arc::new(house::Log::default());
    for _ in 0..50 {
        log.store(7);
    }
    let house = House::with_log(&redis.url(), "", log);
    let last = house.publish(5);
    assert_eq!(redis.stream("events", last).await, house.log.entries(51));
}

#[tokio::test]
async fn what_waits_at_the_end_is_still_sent() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let house = House::new(&redis.url(), "");
    // The mirror has not had a moment yet: this test has one thread.
    let last = house.publish(3_000);
    let log = house.stop().await;
    assert_eq!(redis.stream("events", last).await, log.entries(1));
}

#[tokio::test]
async fn the_stream_is_trimmed() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let server = server::bus::redis::Server::parse(&redis.url(), "", 200).expect("an address");
    let mut house = House::at(server, Default::default());
    house.works().await;
    let mut channels = redis.listen("*").await;
    house.publish(2_000);
    heard(&mut channels, 2_000).await;
    let kept: usize = redis.command("XLEN events").await;
    // Redis removes whole blocks of a hundred.
    assert!((200..=400).contains(&kept), "{kept}");
}

#[tokio::test]
async fn two_prefixes_do_not_disturb_each_other() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let (mut one, mut two) = (
        House::new(&redis.url(), "one:"),
        House::new(&redis.url(), "two:"),
    );
    one.works().await;
    two.works().await;
    let mut channels = redis.listen("one:*").await;
    for _ in 0..20 {
        one.publish(7);
        two.publish(11);
        tokio::task::yield_now().await;
    }
    let (ours, theirs) = (one.log.entries(1), two.log.entries(1));
    assert_eq!(redis.stream("one:events", 140).await, ours);
    assert_eq!(redis.stream("two:events", 220).await, theirs);
    let heard: Vec<String> = heard(&mut channels, 140)
        .await
        .into_iter()
        .map(|(_, frame)| frame)
        .collect();
    let ours: Vec<String> = ours.into_iter().map(|(_, frame)| frame).collect();
    assert_eq!(heard, ours);
}

#[tokio::test]
async fn another_database_under_the_same_prefix_is_told_and_nothing_is_mixed() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let one = House::new(&redis.url(), "same:");
    let stream = redis.stream("same:events", one.publish(20)).await;

    // Its log is shorter than the stream.
    let mut shorter = House::new(&redis.url(), "same:");
    shorter.publish(5);
    let reason = shorter.degraded().await;
    assert!(reason.contains("TROUPE_REDIS_PREFIX"), "{reason}");
    assert!(reason.contains("same:events"), "{reason}");

    // Its log is longer, but has other events.
    let log = std::sync::Arc::new(house::Log::default());
    for _ in 0..40 {
        log.store(7);
    }
    let mut longer = House::with_log(&redis.url(), "same:", log);
    let reason = longer.degraded().await;
    assert!(reason.contains("TROUPE_REDIS_PREFIX"), "{reason}");
    longer.publish(5);

    assert_eq!(redis.stream("same:events", 20).await, stream);
    assert_eq!(redis.stream("same:events", one.publish(1)).await.len(), 21);
    assert!(matches!(shorter.told(), house::Told::Degraded(_)));
    assert!(matches!(longer.told(), house::Told::Degraded(_)));
}

#[tokio::test]
async fn two_that_begin_together_under_one_prefix_are_told_apart() {
    let Some(redis) = Daemon::start(&[]).await else {
        return;
    };
    let (mut one, mut two) = (House::new(&redis.url(), ""), House::new(&redis.url(), ""));
    one.works().await;
    two.works().await;
    one.publish(10);
    redis.stream("events", 10).await;
    two.publish(10);
    let reason = two.degraded().await;
    assert!(reason.contains("TROUPE_REDIS_PREFIX"), "{reason}");
    assert_eq!(redis.stream("events", 10).await, one.log.entries(1));
}
